-- The best customers: the view keeps every customer's total, a reader takes the top of it.
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, city text);
CREATE TABLE invoices (id int PRIMARY KEY, customer_id int NOT NULL, amount numeric(12,2) NOT NULL);
INSERT INTO customers VALUES (1, 'Ada', 'Berlin'), (2, 'Grace', 'Paris'), (3, 'Edsger', NULL), (4, 'Barbara', 'Berlin');
INSERT INTO invoices VALUES (1, 1, 120.00), (2, 1, 80.00), (3, 2, 500.25), (4, 3, 20.00), (5, 2, 0.75), (6, 1, 17.50);

CREATE MATERIALIZED VIEW customer_totals AS
  SELECT c.id, c.name, c.city, count(*) AS invoices, sum(i.amount) AS spent, round(avg(i.amount), 2) AS average, max(i.amount) AS largest
  FROM customers c JOIN invoices i ON i.customer_id = c.id
  GROUP BY c.id, c.name, c.city;

SELECT name, spent, invoices FROM customer_totals ORDER BY spent DESC LIMIT 2;
SELECT name, spent, invoices FROM customer_totals ORDER BY spent DESC LIMIT 2 OFFSET 2;

-- The largest invoice goes; the next largest takes its place.
DELETE FROM invoices WHERE id = 3;
SELECT name, spent, largest FROM customer_totals ORDER BY spent DESC;
SELECT city, sum(spent) AS spent FROM customer_totals GROUP BY city ORDER BY city NULLS FIRST;
