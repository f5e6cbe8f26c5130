-- columns, qualifiers, hints
SELECT * FROM orders
SELECT o.* FROM orders o
SELECT o.*, o.id FROM orders AS o
SELECT orders.id, public.orders.amount FROM orders
SELECT public.orders.* FROM public.orders
SELECT id, region AS r, amount total FROM orders
SELECT nosuch FROM orders
SELECT amuont FROM orders
SELECT regoin, amount FROM orders
SELECT o.amoun FROM orders o
SELECT orders.amount FROM orders o
SELECT x.id FROM orders o
SELECT ordres.id FROM orders
SELECT id FROM orders, users
SELECT u.id, o.id FROM orders o, users u
SELECT user_id, name FROM orders, users
SELECT nam FROM users, items
SELECT nosuch.nosuch FROM orders
SELECT o.id FROM orders o, orders o
SELECT 1 FROM orders, orders
SELECT * FROM nosuch
SELECT * FROM nosuch.orders
SELECT * FROM public.nosuch
SELECT * FROM orders o(a, b)
SELECT a, b, o.a, amount FROM orders o(a, b)
SELECT id FROM orders o(a, b)
SELECT * FROM items i(a, b, c, d, e, f)
SELECT *
SELECT 1, 2 AS two, 'x', NULL, true, 1.5, 10000000000, 100000000000000000000
SELECT -1, - 1, -2147483648, 2147483648, -9223372036854775808, 9223372036854775808, 1e3, .5
SELECT
SELECT FROM orders
SELECT id AS id, id FROM orders ORDER BY id
SELECT id AS x, amount AS x FROM orders ORDER BY x
SELECT id, amount FROM orders ORDER BY 3
SELECT id, amount FROM orders ORDER BY 0
SELECT id, amount FROM orders ORDER BY -1
SELECT id, amount FROM orders ORDER BY 'x'
SELECT id, amount FROM orders ORDER BY 1.5
SELECT id, amount FROM orders ORDER BY NULL
SELECT id, amount FROM orders ORDER BY amount + 1, 2 DESC NULLS LAST
SELECT id AS region FROM orders ORDER BY region
SELECT id + 1 AS k FROM orders ORDER BY k + 1
SELECT id AS k FROM orders WHERE k > 1
SELECT doc FROM docs ORDER BY doc
SELECT j FROM docs ORDER BY j
SELECT DISTINCT j FROM docs
SELECT DISTINCT region FROM orders ORDER BY region
SELECT DISTINCT region FROM orders ORDER BY amount
SELECT DISTINCT region, amount FROM orders ORDER BY amount + 1
SELECT DISTINCT 'x', NULL FROM orders
SELECT id FROM orders LIMIT 5 OFFSET 2
SELECT id FROM orders LIMIT '5'
SELECT id FROM orders LIMIT 5.5
SELECT id FROM orders LIMIT 'x'
SELECT id FROM orders LIMIT true
SELECT id FROM orders LIMIT id
SELECT id FROM orders OFFSET amount
SELECT id FROM orders LIMIT NULL
SELECT id FROM orders LIMIT count(*)
SELECT id FROM orders WHERE id
SELECT id FROM orders WHERE 1
SELECT id FROM orders WHERE 'x'
SELECT id FROM orders WHERE 'true'
SELECT id FROM orders WHERE NULL
SELECT id FROM orders WHERE NOT 1
SELECT id FROM orders WHERE id = 1 AND 2
SELECT id FROM orders WHERE active OR 'maybe'
SELECT "ID" FROM orders
SELECT "Weird Name", "Weird Name" + 1 FROM odd
SELECT weird_name FROM odd
-- subqueries in FROM
SELECT * FROM (SELECT id, region FROM orders) s
SELECT s.id FROM (SELECT id, region FROM orders) s
SELECT s.amount FROM (SELECT id, region FROM orders) s
SELECT amount FROM (SELECT id, region FROM orders) s
SELECT * FROM (SELECT id, id FROM orders) s
SELECT id FROM (SELECT id, id FROM orders) s
SELECT s.id FROM (SELECT id, id FROM orders) s
SELECT * FROM (SELECT 1, 'x', NULL) s
SELECT * FROM (SELECT 1 AS a, 'x' AS b) s(c)
SELECT a FROM (SELECT 1 AS a, 'x' AS b) s(c)
SELECT * FROM orders o, (SELECT o.id) s
SELECT * FROM orders o, (SELECT id FROM users WHERE users.id = o.user_id) s
SELECT * FROM orders o, (SELECT region) s
SELECT orders.id FROM (SELECT id FROM orders) s
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v(x, y)
SELECT column1, v.column2 FROM (VALUES (1, 'a'), (2, 'b')) v
SELECT * FROM (VALUES (1, NULL), (2.5, 'b'), (3, NULL)) v(x, y)
SELECT * FROM (VALUES (1), ('x')) v(x)
SELECT * FROM (VALUES (1), (true)) v(x)
SELECT * FROM (VALUES (1, 2), (3)) v(x)
VALUES (1, 'a'), (2, 'b')
VALUES (1, 'a'), (2, NULL) ORDER BY 2, column1 LIMIT 1
VALUES (id)
VALUES (1), (DEFAULT)
VALUES (count(*))
-- WITH
WITH c AS (SELECT id, region FROM orders) SELECT * FROM c
WITH c(a, b) AS (SELECT id, region FROM orders) SELECT a, c.b FROM c
WITH c(a, b, d) AS (SELECT id, region FROM orders) SELECT * FROM c
WITH c AS (SELECT 1 AS x), d AS (SELECT x + 1 AS y FROM c) SELECT * FROM c, d
WITH c AS (SELECT 1), c AS (SELECT 2) SELECT * FROM c
WITH c AS (SELECT 1 AS x) SELECT * FROM c a, c b
WITH c AS (SELECT 1 AS x) SELECT * FROM (SELECT * FROM c) s
WITH orders AS (SELECT 'x' AS region) SELECT region FROM orders
WITH c AS (SELECT 'x') SELECT * FROM c
WITH c AS (SELECT nosuch FROM orders) SELECT 1
