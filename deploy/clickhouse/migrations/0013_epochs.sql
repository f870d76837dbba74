-- Epochs of results: each replay makes one. Revisions carry their epoch (above 48 bits of offset), and the views read none that is not
-- listed here, so that one row inserted here exchanges the results of a replayed period for readers: all objects at once.
CREATE TABLE IF NOT EXISTS {database}.store_epochs
(
    `epoch` Int64 COMMENT 'Results of it and of lower epochs are read; 1 before any replay.',
    `visible_at` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'Since when.'
)
ENGINE = MergeTree
ORDER BY epoch
COMMENT 'Storage: one row is one epoch of results that readers see.';
