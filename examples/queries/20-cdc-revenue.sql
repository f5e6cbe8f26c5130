-- A source: tables of a PostgreSQL database (examples/shop.sql makes them), and views over them.
-- Run it with: psql … -v source_dsn='postgres://cdc_user@127.0.0.1:5432/shop' -f 20-cdc-revenue.sql
\set helios 'postgres://' :USER '@' :HOST ':' :PORT '/' :DBNAME
CREATE SOURCE shop FROM CDC
  CONNECTION :'source_dsn'
  TABLES (public.users AS shop_users, public.orders AS shop_orders)
  WITH (slot_name = 'helios_shop', publication_name = 'helios_shop', snapshot_mode = 'initial');
-- The view waits for the source's snapshot.
CREATE MATERIALIZED VIEW shop_revenue AS
  SELECT u.country, count(*) AS orders, sum(o.amount) AS total, max(o.created_at) AS latest
  FROM shop_orders o JOIN shop_users u ON u.id = o.user_id
  WHERE o.status <> 'cancelled' GROUP BY u.country;
SELECT * FROM shop_revenue ORDER BY total DESC;

-- A change in PostgreSQL. Its LSN is the token to read one's own writes with.
\connect :source_dsn
BEGIN;
INSERT INTO orders (id, user_id, amount, status, created_at) VALUES (100, 2, 1000.00, 'paid', '2024-04-01 12:00:00+00');
UPDATE users SET country = 'nl' WHERE id = 3;
DELETE FROM orders WHERE id = 1;
COMMIT;
SELECT pg_current_wal_flush_lsn() AS lsn \gset

\connect :helios
SET helios.min_lsn = :'lsn';
SELECT * FROM shop_revenue ORDER BY total DESC;
SELECT * FROM shop_orders WHERE id IN (1, 100);
