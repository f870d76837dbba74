//! What must never be found again: secrets, keys, addresses of people and of their machines.
