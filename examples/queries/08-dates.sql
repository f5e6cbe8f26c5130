-- Dates, times and intervals: a daily and an hourly report.
CREATE TABLE rides (id int PRIMARY KEY, began timestamptz NOT NULL, ended timestamptz, km numeric(6,2) NOT NULL);
INSERT INTO rides VALUES
  (1, '2024-02-28 23:50:00+00', '2024-02-29 00:20:00+00', 7.25), (2, '2024-02-29 08:00:00+00', '2024-02-29 08:12:30+00', 3.10),
  (3, '2024-02-29 08:40:00+00', NULL, 0), (4, '2024-03-01 17:05:00+00', '2024-03-01 18:00:00+00', 14.00);

CREATE MATERIALIZED VIEW rides_daily AS
  SELECT date_trunc('day', began, 'UTC') AS day, count(*) AS rides, count(*) FILTER (WHERE ended IS NULL) AS open,
         sum(km) AS km, sum(ended - began) AS riding, max(ended - began) AS longest
  FROM rides GROUP BY 1;
CREATE MATERIALIZED VIEW rides_hourly AS
  SELECT extract(hour FROM began AT TIME ZONE 'Europe/Berlin') AS hour_in_berlin, count(*) AS rides FROM rides GROUP BY 1;

SELECT * FROM rides_daily ORDER BY day;
SELECT * FROM rides_hourly ORDER BY hour_in_berlin;
UPDATE rides SET ended = began + interval '1 hour 15 minutes', km = 20.5 WHERE id = 3;
SELECT * FROM rides_daily ORDER BY day;

SELECT to_char(began AT TIME ZONE 'UTC', 'FMDay DD Mon YYYY HH24:MI') AS began, age(ended, began) AS took FROM rides ORDER BY id;
SELECT date '2024-01-31' + interval '1 month' AS month_later, date '2024-03-01' - date '2024-02-28' AS days, extract(epoch FROM interval '1 day 2 hours') AS seconds;
SET TIME ZONE 'Europe/Berlin';
SELECT id, began FROM rides ORDER BY id LIMIT 1;
