-- What helios-sql knows of itself.
CREATE TABLE parts (id int PRIMARY KEY, weight real);
INSERT INTO parts VALUES (1, 0.5), (2, 1.25), (3, 8);
CREATE MATERIALIZED VIEW heavy_parts AS SELECT id, weight FROM parts WHERE weight > 1;
CREATE VIEW light_parts AS SELECT id, weight FROM parts WHERE weight <= 1;

SELECT schema, name, kind FROM helios.relations WHERE name LIKE '%parts' ORDER BY name;
SELECT name, state, rows, last_error, definition FROM helios.views WHERE name = 'heavy_parts';
SELECT count(*) AS sources FROM helios.sources WHERE name = 'none';
SELECT t.tick > 0 AS ticking, t.source FROM helios.ticks t WHERE t.source IS NULL;
SHOW timezone;
SHOW helios.query_memory;
DROP TABLE parts;
DROP TABLE parts CASCADE;
SELECT count(*) AS left_over FROM helios.relations WHERE name LIKE '%parts';
