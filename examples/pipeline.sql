-- A pipeline kept in version control: helios-sql serve --init pipeline.sql runs it at every start.
-- What is there already and has not changed is left alone; a view whose query has changed is built anew.
CREATE SOURCE IF NOT EXISTS shop FROM CDC
  CONNECTION 'postgres://cdc_user@127.0.0.1:5432/shop'
  TABLES (public.users, public.orders)
  WITH (slot_name = 'helios_pipeline', publication_name = 'helios_pipeline');

CREATE TABLE IF NOT EXISTS targets (country text PRIMARY KEY, revenue numeric(12,2) NOT NULL);
INSERT INTO targets VALUES ('de', 1000), ('fr', 500) ON CONFLICT (country) DO UPDATE SET revenue = excluded.revenue;

CREATE OR REPLACE MATERIALIZED VIEW revenue AS
  SELECT u.country, count(*) AS orders, sum(o.amount) AS total
  FROM orders o JOIN users u ON u.id = o.user_id WHERE o.status <> 'cancelled' GROUP BY u.country;

-- Internal tables and captured tables join like any others.
CREATE OR REPLACE MATERIALIZED VIEW against_target AS
  SELECT t.country, t.revenue AS target, coalesce(r.total, 0) AS total, round(100 * coalesce(r.total, 0) / t.revenue, 1) AS percent
  FROM targets t LEFT JOIN revenue r ON r.country = t.country;
