-- Views over views: all of them change in the same tick, so they always agree.
CREATE TABLE sensors (id int PRIMARY KEY, room text NOT NULL);
CREATE TABLE readings (sensor int, at timestamp, celsius double precision NOT NULL, PRIMARY KEY (sensor, at));
INSERT INTO sensors VALUES (1, 'attic'), (2, 'attic'), (3, 'cellar');
INSERT INTO readings VALUES (1, '2024-01-01 00:00', 21.5), (1, '2024-01-01 00:10', 22.5), (2, '2024-01-01 00:00', 19.25), (3, '2024-01-01 00:00', 11);

CREATE MATERIALIZED VIEW sensor_average AS
  SELECT sensor, avg(celsius) AS celsius, count(*) AS readings FROM readings GROUP BY sensor;
CREATE MATERIALIZED VIEW room_average AS
  SELECT s.room, avg(a.celsius) AS celsius, sum(a.readings) AS readings
  FROM sensor_average a JOIN sensors s ON s.id = a.sensor GROUP BY s.room;
-- A plain view is a name for a query; it stores nothing.
CREATE VIEW warm_rooms AS SELECT room, celsius FROM room_average WHERE celsius >= 20;
CREATE MATERIALIZED VIEW warm_count AS SELECT count(*) AS rooms FROM warm_rooms;

SELECT * FROM room_average ORDER BY room;
SELECT * FROM warm_rooms ORDER BY room;
SELECT * FROM warm_count;
INSERT INTO readings VALUES (3, '2024-01-01 00:10', 41);
SELECT * FROM room_average ORDER BY room;
SELECT * FROM warm_rooms ORDER BY room;
SELECT * FROM warm_count;
