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
-- views, refusals
SELECT * FROM big_orders
SELECT b.total, b.id FROM big_orders b WHERE total > 200
SELECT amount FROM big_orders
! SELECT o FROM orders o
! SELECT row_number() OVER (ORDER BY id) FROM orders
! SELECT (SELECT 1)
! SELECT id FROM orders WHERE EXISTS (SELECT 1)
! SELECT id FROM orders WHERE id IN (SELECT id FROM users)
! SELECT id FROM orders WHERE id = ANY (SELECT id FROM users)
! SELECT DISTINCT ON (id) id FROM orders
! SELECT id FROM orders FOR UPDATE
! SELECT * FROM orders o, LATERAL (SELECT o.id) s
! SELECT * FROM generate_series(1, 3)
! SELECT generate_series(1, 3)
! SELECT ARRAY[1, 2]
! SELECT ('{1,2}'::int[])[1]
! SELECT ROW(1, 2)
! SELECT (1, 2)
! SELECT region COLLATE "en_US" FROM orders
! SELECT string_agg(region, ',') FROM orders
! SELECT array_agg(region ORDER BY id) FROM orders
! SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM orders
! SELECT region, count(*) FROM orders GROUP BY ROLLUP (region)
! SELECT region, count(*) FROM orders GROUP BY GROUPING SETS ((region), ())
! WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r
! WITH x AS (DELETE FROM orders RETURNING id) SELECT * FROM x
! SELECT id FROM orders INTERSECT SELECT id FROM users
! SELECT id FROM orders EXCEPT SELECT id FROM users
! SELECT id FROM orders ORDER BY id FETCH FIRST 2 ROWS WITH TIES
! SELECT 'orders'::regclass
! SELECT B'101'
! SELECT make_interval(days => 3)
! SELECT sum(amount) OVER w FROM orders WINDOW w AS (PARTITION BY region)
! SELECT id = ANY ('{1,2}') FROM orders
! SELECT id = ANY ($1) FROM orders
WITH RECURSIVE r AS (SELECT 1 AS n) SELECT * FROM r
SELECT (o).region FROM orders o
SELECT (o).* FROM orders o
SELECT (o).nosuch FROM orders o
! SELECT count(o.*) FROM orders o
SELECT orders.id AS "Q" FROM orders ORDER BY "Q"
SELECT id FROM orders ORDER BY orders.id USING >
SELECT * FROM orders o WHERE users.id = 1
SELECT * FROM orders o WHERE o.user.id = 1
SELECT a.b.c.d.e FROM orders
SELECT region AS a, id AS a FROM orders GROUP BY a, id
SELECT DISTINCT id, region FROM orders ORDER BY 2, 1 LIMIT 2
SELECT DISTINCT count(*) FROM orders GROUP BY region ORDER BY count(*)
SELECT DISTINCT region FROM orders GROUP BY region ORDER BY count(*)
SELECT ALL id FROM orders
TABLE orders
SELECT * FROM ONLY orders
SELECT id idd, iddd FROM orders
SELECT idd FROM orders
SELECT userid, crated FROM orders
SELECT use_id FROM orders o JOIN (SELECT user_id FROM orders) p ON true
SELECT o.userid FROM orders o, users u
SELECT u.region FROM orders o, users u
SELECT q FROM orders
SELECT labl FROM codes, (SELECT label FROM codes) z, (SELECT label FROM codes) y
