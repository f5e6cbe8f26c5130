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
