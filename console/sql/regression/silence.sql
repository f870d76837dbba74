-- Events of each tile of time around the silence, and how many such a tile usually has: the mean of the same one in up to four weeks before. Without a
-- week of history there is no such mean.
WITH
    counts AS
    (
        SELECT began, sum(many) AS events
        FROM ({source})
        WHERE began >= {course_from:Int64} - 4 * 604800 AND began < {until:Int64}
            AND (began - ({course_from:Int64} - 4 * 604800)) % 604800 < {until:Int64} - {course_from:Int64}
        GROUP BY began
    ),
    (SELECT min(began) FROM counts) AS first,
    least(4, intDiv(at - first, 604800)) AS weeks
SELECT
    began + 604800 * toInt64(week) AS at, sumIf(events, week = 0) AS n,
    if(weeks > 0, sumIf(events, week > 0) / weeks, NULL) AS usual
FROM counts
ARRAY JOIN range(5) AS week
WHERE at >= {course_from:Int64} AND at < {until:Int64}
GROUP BY at
ORDER BY at WITH FILL FROM {course_from:Int64} TO {until:Int64} STEP {tile_s:Int64}
