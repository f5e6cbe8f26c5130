SELECT count(*) FROM orders
SELECT region, count(*), sum(amount), avg(amount), min(id), max(created) FROM orders GROUP BY region
SELECT region FROM orders GROUP BY region
SELECT region, amount FROM orders GROUP BY region
SELECT region, o.amount FROM orders o GROUP BY region
SELECT region, count(*) FROM orders
SELECT count(*), id FROM orders
SELECT id, region, amount FROM orders GROUP BY id
SELECT o.id, o.region, u.name FROM orders o JOIN users u ON o.user_id = u.id GROUP BY o.id, u.id
SELECT o.id, o.region, u.name FROM orders o JOIN users u ON o.user_id = u.id GROUP BY o.id
SELECT name, count(*) FROM items GROUP BY order_id, line
SELECT name, count(*) FROM items GROUP BY order_id
SELECT region AS r, count(*) FROM orders GROUP BY r
SELECT region AS r, count(*) FROM orders GROUP BY 1
SELECT region, count(*) FROM orders GROUP BY 2
SELECT region, count(*) FROM orders GROUP BY 3
SELECT region, count(*) AS n FROM orders GROUP BY n
SELECT upper(region), count(*) FROM orders GROUP BY upper(region)
SELECT upper(region) || 'x', count(*) FROM orders GROUP BY upper(region)
SELECT lower(region), count(*) FROM orders GROUP BY upper(region)
SELECT region FROM orders GROUP BY region HAVING count(*) > 1
SELECT region FROM orders GROUP BY region HAVING amount > 1
SELECT region FROM orders HAVING count(*) > 1
SELECT 1 FROM orders HAVING true
SELECT region FROM orders GROUP BY region HAVING sum(amount)
SELECT region FROM orders GROUP BY region ORDER BY count(*) DESC
SELECT region FROM orders GROUP BY region ORDER BY amount
SELECT region, sum(amount) AS s FROM orders GROUP BY region ORDER BY s DESC, region
SELECT sum(count(*)) FROM orders
SELECT sum(amount + count(*)) FROM orders GROUP BY region
SELECT region FROM orders WHERE count(*) > 1 GROUP BY region
SELECT region FROM orders GROUP BY count(*)
SELECT count(DISTINCT region), sum(DISTINCT amount) FROM orders
SELECT count(DISTINCT j) FROM docs
SELECT count(*) FILTER (WHERE amount > 10) FROM orders
SELECT count(*) FILTER (WHERE amount) FROM orders
SELECT count(*) FILTER (WHERE count(*) > 1) FROM orders
SELECT sum(id), sum(amount), sum(qty), sum(small.id) FROM orders, small, items
SELECT avg(id), avg(amount), avg(f4), avg(f8) FROM orders, nums
SELECT sum(f4), sum(f8), sum(i2), sum(i4), sum(i8), sum(n) FROM nums
SELECT sum(region) FROM orders
SELECT sum('1') FROM orders
SELECT sum(NULL) FROM orders
SELECT min(region), max(v), min(c) FROM orders, chars
SELECT count() FROM orders
SELECT count(1), count('x'), count(NULL) FROM orders
SELECT count(id, region) FROM orders
SELECT lower(*) FROM orders
SELECT lower(DISTINCT region) FROM orders
SELECT lower(region) FILTER (WHERE true) FROM orders
SELECT sum(*) FROM orders
SELECT bool_and(active), bool_or(active), every(active) FROM orders
SELECT bool_and(id) FROM orders
SELECT j FROM docs GROUP BY j
SELECT doc, count(*) FROM docs GROUP BY doc
SELECT region, 'x' AS tag, count(*) FROM orders GROUP BY region, tag
SELECT CASE WHEN amount > 10 THEN 'big' ELSE 'small' END AS size, count(*) FROM orders GROUP BY size
SELECT CASE WHEN amount > 10 THEN 'big' ELSE 'small' END AS size, count(*) FROM orders GROUP BY CASE WHEN amount > 10 THEN 'big' ELSE 'small' END
SELECT v::text FROM chars GROUP BY v
SELECT c::text FROM chars GROUP BY c
SELECT v FROM chars GROUP BY v::text
SELECT (region), count(*) FROM orders GROUP BY (region)
SELECT region, active FROM orders GROUP BY (region, active)
SELECT coalesce(region, 'none'), count(*) FROM orders GROUP BY 1 HAVING count(*) > 1 ORDER BY 2 DESC LIMIT 3
SELECT o.region FROM orders o GROUP BY region
SELECT region FROM orders o GROUP BY o.region
SELECT id % 10, count(*) FROM orders GROUP BY id % 10
SELECT id % 10 FROM orders GROUP BY id % 11
SELECT date_trunc('day', created), count(*) FROM orders GROUP BY date_trunc('day', created)
SELECT * FROM orders GROUP BY id
SELECT * FROM orders GROUP BY region
SELECT v.region FROM big_orders v GROUP BY v.id
SELECT v.total FROM big_orders v GROUP BY v.id, v.total
SELECT region, sum(amount) / count(*) AS mean, round(avg(amount), 2), max(amount) - min(amount) AS spread FROM orders GROUP BY region
SELECT upper(region), lower(upper(region)) FROM orders GROUP BY upper(region) HAVING upper(region) > 'a' ORDER BY upper(region), max(id)
SELECT region, amount > 5 FROM orders GROUP BY region, amount > 5
SELECT region, amount > 6 FROM orders GROUP BY region, amount > 5
SELECT coalesce(region, 'x') FROM orders GROUP BY coalesce(region, 'y')
SELECT region IN ('a', 'b') FROM orders GROUP BY region IN ('a', 'b')
SELECT region IN ('a', 'b') FROM orders GROUP BY region IN ('a', 'c')
SELECT (region IS NULL), region IS NOT NULL FROM orders GROUP BY region IS NULL
SELECT created::date, count(*) FROM orders GROUP BY created::date
SELECT created::date FROM orders GROUP BY created::timestamptz
SELECT extract(year FROM created), count(*) FROM orders GROUP BY extract(year FROM created)
SELECT count(*) + 1, sum(amount) * 2, 'x' || max(region) FROM orders
SELECT count(*) AS region FROM orders GROUP BY region ORDER BY region
SELECT sum(amount) FROM orders WHERE amount > 5 HAVING max(id) > 1
SELECT sum(a.amount) FROM orders a, orders b WHERE a.id = b.id GROUP BY b.region
SELECT a.id, b.region FROM orders a LEFT JOIN orders b ON a.id = b.user_id GROUP BY a.id, b.id
SELECT i.order_id, i.qty FROM items i GROUP BY i.line, i.order_id
SELECT i.qty FROM orders o LEFT JOIN items i ON i.order_id = o.id GROUP BY i.line, i.order_id
SELECT id FROM (SELECT id, region FROM orders) s GROUP BY id
SELECT region FROM (SELECT id, region FROM orders) s GROUP BY id
SELECT count(*) FILTER (WHERE active), count(DISTINCT region) FILTER (WHERE amount > 1) FROM orders
SELECT sum(1), sum(1.5), sum(amount::float8), avg('1'::interval), min('x'), max(NULL), min(1), count(NULL) FROM orders
SELECT max(active) FROM orders
SELECT min(doc) FROM docs
SELECT max(uid) FROM docs
SELECT avg(region) FROM orders
SELECT sum(created) FROM orders
SELECT max(created), min(day), max(b) FROM orders, odd
SELECT sum(DISTINCT id, region) FROM orders
SELECT max(id, 5) FROM orders
SELECT max(DISTINCT id), count(DISTINCT 5) FROM orders
SELECT id FROM orders GROUP BY 1.5
SELECT id FROM orders GROUP BY 'x'
SELECT id FROM orders GROUP BY NULL
SELECT id FROM orders GROUP BY orders.nosuch
SELECT id FROM orders ORDER BY sum(amount)
SELECT id FROM orders GROUP BY id ORDER BY sum(amount), region
SELECT 5 FROM orders GROUP BY 1
SELECT 5, 'x', NULL FROM orders GROUP BY 1, 2, 3
SELECT o.*, count(*) FROM orders o GROUP BY o.id
SELECT o.*, count(*) FROM orders o JOIN users u USING (id) GROUP BY o.id
SELECT *, count(*) FROM orders o JOIN users u USING (id) GROUP BY id
SELECT bool_and(amount > 5) AND true, NOT bool_or(active) FROM orders
SELECT CASE WHEN count(*) > 1 THEN region END FROM orders GROUP BY region
SELECT CASE WHEN count(*) > 1 THEN region END FROM orders
SELECT max(min(max(id))) FROM orders
SELECT id FROM orders WHERE sum(nosuch) > 1
SELECT id, count(*) FROM small FULL JOIN orders USING (id)
SELECT id FROM orders ORDER BY true
SELECT id FROM orders GROUP BY true
