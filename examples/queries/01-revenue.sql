-- Revenue per country: a join and an aggregate that are never stale.
-- Here the tables are helios-sql's own; 20-cdc-revenue.sql has the same view over a PostgreSQL database.
CREATE TABLE users (id int PRIMARY KEY, country text NOT NULL);
CREATE TABLE orders (
  id         bigint PRIMARY KEY,
  user_id    int NOT NULL,
  amount     numeric(10,2) NOT NULL,
  status     text NOT NULL DEFAULT 'paid',
  created_at timestamp NOT NULL
);
INSERT INTO users VALUES (1, 'de'), (2, 'fr'), (3, 'de');
INSERT INTO orders (id, user_id, amount, created_at) VALUES
  (1, 1, 10.50, '2024-03-01 09:00'), (2, 2, 99.90, '2024-03-01 10:00'), (3, 3, 5.00, '2024-03-02 11:30');

CREATE MATERIALIZED VIEW revenue AS
  SELECT u.country, count(*) AS orders, sum(o.amount) AS total, max(o.created_at) AS latest
  FROM orders o JOIN users u ON u.id = o.user_id
  WHERE o.status <> 'cancelled'
  GROUP BY u.country;
SELECT * FROM revenue ORDER BY total DESC LIMIT 10;

-- Every committed change is in the view at once.
INSERT INTO orders (id, user_id, amount, created_at) VALUES (4, 1, 1000, '2024-03-03 08:15');
SELECT * FROM revenue ORDER BY total DESC LIMIT 10;
UPDATE orders SET status = 'cancelled' WHERE id = 2;
SELECT * FROM revenue ORDER BY total DESC LIMIT 10;
UPDATE users SET country = 'at' WHERE id = 3;
SELECT * FROM revenue ORDER BY total DESC LIMIT 10;
