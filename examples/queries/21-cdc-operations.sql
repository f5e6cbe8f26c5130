-- The life of a source: what it says of itself, truncation, and its end. The replication slot goes with it.
-- Run it after 20-cdc-revenue.sql, with the same source_dsn.
\set helios 'postgres://' :USER '@' :HOST ':' :PORT '/' :DBNAME
SELECT name, state, snapshot_rows, last_error FROM helios.sources;
SELECT name, kind, source FROM helios.relations WHERE source = 'shop' ORDER BY name;
SELECT source, lsn IS NOT NULL AS has_lsn FROM helios.ticks;

\connect :source_dsn
TRUNCATE orders;
SELECT pg_current_wal_flush_lsn() AS lsn \gset
\connect :helios
SET helios.min_lsn = :'lsn';
SELECT count(*) FROM shop_orders;
SELECT count(*) FROM shop_revenue;

DROP SOURCE shop;
DROP SOURCE shop CASCADE;
SELECT count(*) AS relations FROM helios.relations WHERE name LIKE 'shop%';
