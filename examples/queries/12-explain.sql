-- EXPLAIN shows what runs: operators, the state they keep, their keys.
CREATE TABLE authors (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE books (id int PRIMARY KEY, author int, title text, price numeric(6,2));
CREATE MATERIALIZED VIEW shelf AS
  SELECT a.name, count(*) AS books, max(b.price) AS dearest FROM books b JOIN authors a ON a.id = b.author WHERE b.price > 1 GROUP BY a.name;
EXPLAIN MATERIALIZED VIEW shelf;

-- A query that runs once; a look-up by key reads one row.
EXPLAIN SELECT title FROM books WHERE id = 7;
EXPLAIN SELECT name FROM shelf WHERE books > 3 ORDER BY dearest DESC LIMIT 3;
