-- The PostgreSQL side of the examples with a source: psql -d shop -f shop.sql, as a superuser of a server with wal_level = logical.
CREATE TABLE users (id int PRIMARY KEY, country text NOT NULL);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id int NOT NULL, amount numeric(10,2) NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL);
INSERT INTO users VALUES (1, 'de'), (2, 'fr'), (3, 'de');
INSERT INTO orders VALUES
  (1, 1, 10.50, 'paid', '2024-03-01 09:00:00+00'), (2, 2, 99.90, 'cancelled', '2024-03-01 10:00:00+00'),
  (3, 3, 5.00, 'paid', '2024-03-02 11:30:00+00'), (4, 2, 20.00, 'shipped', '2024-03-02 12:00:00+00');

-- The role that helios-sql connects as: it may replicate, owns the tables, and may create a publication.
CREATE ROLE cdc_user LOGIN REPLICATION;
ALTER TABLE users OWNER TO cdc_user;
ALTER TABLE orders OWNER TO cdc_user;
SELECT format('GRANT CREATE ON DATABASE %I TO cdc_user', current_database()) \gexec
