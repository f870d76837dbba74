-- A conversation that begins anew after a long silence counts its cycles from 1 again: their starts tell them apart.
ALTER TABLE {database}.store_conversations
    ADD COLUMN IF NOT EXISTS `cycle_id` String COMMENT 'Start of the cycle in milliseconds since 1970, numbered where several start at once.' AFTER `cycle`,
    MODIFY ORDER BY (tenant, conversation_id, cycle, cycle_id);
