-- Answers to survey questions, newest state, one row each.
CREATE OR REPLACE VIEW {database}.feedback
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `submission_id` String COMMENT 'Submission, else the event''s id.',
    `question` String COMMENT 'question_id, else metric and scene.',
    `source` LowCardinality(String) COMMENT 'Source of the write key.',
    `id` String COMMENT 'Id of the event.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `time` DateTime64(3, 'UTC') COMMENT 'Event time of the answer.',
    `survey_id` LowCardinality(Nullable(String)) COMMENT 'Id of the survey.',
    `metric` LowCardinality(String) COMMENT 'nps, csat, ces, rating, choice or text.',
    `score` Nullable(Int32) COMMENT 'Score on the scale.',
    `scale_min` Nullable(Int32) COMMENT 'Lowest score of the scale.',
    `scale_max` Nullable(Int32) COMMENT 'Highest score of the scale.',
    `choice` LowCardinality(Nullable(String)) COMMENT 'Chosen option.',
    `driver` LowCardinality(Nullable(String)) COMMENT 'What drove the score.',
    `respondent` LowCardinality(String) COMMENT 'customer or employee; employees are never inside customer scores.',
    `text` Nullable(String) COMMENT 'Free text, personal data masked; NULL once its shorter retention is over.',
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.',
    `is_counted` Bool COMMENT 'False when another answer to the same question of the same submission followed within 7 days: only the last counts.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one answer to a survey question in its newest state, human traffic only.'
AS
SELECT
    tenant, submission_id, question, source, id, touchpoint, channel, device, time, survey_id, metric, score, scale_min, scale_max,
    choice, driver, respondent, text, customer_id, is_counted, revision
FROM {database}.store_answers FINAL;
