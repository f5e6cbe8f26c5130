-- A conversion funnel: how many sessions got how far.
CREATE TABLE events (id bigint PRIMARY KEY, session text NOT NULL, page text NOT NULL, at timestamptz NOT NULL);
INSERT INTO events VALUES
  (1, 'a', 'home', '2024-05-01 10:00:00+00'), (2, 'a', 'product', '2024-05-01 10:01:00+00'), (3, 'a', 'cart', '2024-05-01 10:05:00+00'),
  (4, 'b', 'home', '2024-05-01 11:00:00+00'), (5, 'c', 'product', '2024-05-01 11:30:00+00'), (6, 'c', 'cart', '2024-05-01 11:31:00+00'),
  (7, 'c', 'paid', '2024-05-01 11:40:00+00');

CREATE MATERIALIZED VIEW session_steps AS
  SELECT session, bool_or(page = 'product') AS saw_product, bool_or(page = 'cart') AS filled_cart, bool_or(page = 'paid') AS paid,
         count(*) AS pages, max(at) - min(at) AS stayed
  FROM events GROUP BY session;
CREATE MATERIALIZED VIEW funnel AS
  SELECT count(*) AS sessions,
         count(*) FILTER (WHERE saw_product) AS product,
         count(*) FILTER (WHERE filled_cart) AS cart,
         count(*) FILTER (WHERE paid) AS paid,
         round(100.0 * count(*) FILTER (WHERE paid) / count(*), 1) AS percent_paid
  FROM session_steps;

SELECT * FROM session_steps ORDER BY session;
SELECT * FROM funnel;
INSERT INTO events VALUES (8, 'a', 'paid', '2024-05-01 10:09:30+00'), (9, 'd', 'home', '2024-05-01 12:00:00+00');
SELECT * FROM funnel;
