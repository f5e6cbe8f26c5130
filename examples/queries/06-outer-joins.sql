-- Outer joins: products without sales, sales of products that nobody knows.
CREATE TABLE products (sku text PRIMARY KEY, title text NOT NULL, price numeric(8,2) NOT NULL);
CREATE TABLE sales (id int PRIMARY KEY, sku text, quantity int NOT NULL);
INSERT INTO products VALUES ('A1', 'Apple', 0.40), ('B2', 'Bread', 2.10), ('C3', 'Cheese', 7.00);
INSERT INTO sales VALUES (1, 'A1', 10), (2, 'A1', 3), (3, 'Z9', 1), (4, NULL, 5);

CREATE MATERIALIZED VIEW sold AS
  SELECT p.sku, p.title, coalesce(sum(s.quantity), 0) AS quantity, coalesce(sum(s.quantity * p.price), 0) AS value
  FROM products p LEFT JOIN sales s ON s.sku = p.sku GROUP BY p.sku, p.title;
CREATE MATERIALIZED VIEW reconciliation AS
  SELECT p.sku AS product, s.id AS sale, s.quantity FROM products p FULL JOIN sales s ON s.sku = p.sku
  WHERE p.sku IS NULL OR s.id IS NULL;

SELECT * FROM sold ORDER BY sku;
SELECT * FROM reconciliation ORDER BY product, sale;
-- The unknown product is entered, the cheese gets its first sale.
INSERT INTO products VALUES ('Z9', 'Zucchini', 1.25);
INSERT INTO sales VALUES (5, 'C3', 2);
SELECT * FROM sold ORDER BY sku;
SELECT * FROM reconciliation ORDER BY product, sale;
