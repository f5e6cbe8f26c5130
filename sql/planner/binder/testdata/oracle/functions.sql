SELECT nosuch(1), 1
SELECT nosuch()
SELECT nosuch('x', NULL, id) FROM orders
SELECT public.nosuch(1)
SELECT nosuch.nosuch(1)
SELECT pg_catalog.lower('X')
SELECT lower(1)
SELECT lower(id) FROM orders
SELECT lower('X'), upper(region), length(region), length('x') FROM orders
SELECT abs(-1), abs(i2), abs(i8), abs(n), abs(f4), abs(f8), abs('1') FROM nums
SELECT abs(region) FROM orders
SELECT abs(true)
SELECT round(1.5), round(1.555, 2), round(f8), round(i4), ceil(n), floor(f8), trunc(n, 1), sqrt(i4), sqrt(n) FROM nums
SELECT round(f8, 2) FROM nums
SELECT round('x')
SELECT power(2, 3), power(2.0, 3), mod(7, 2), mod(i2, i8), mod(n, i4), sign(i4), exp(n), ln(f8) FROM nums
SELECT mod(f8, f8) FROM nums
SELECT substr(region, 1, 2), left(region, 1), right(region, 1), replace(region, 'a', 'b'), split_part(region, '-', 1), strpos(region, 'x') FROM orders
SELECT substr(region, 'x') FROM orders
SELECT concat(1, 'x', NULL, region), concat_ws(',', 1, region), format('%s', id) FROM orders
SELECT concat()
SELECT date_trunc('day', created), date_trunc('day', day), date_trunc('month', interval '1 day') FROM orders, odd
SELECT date_trunc('day', region) FROM orders
SELECT date_trunc('day', '2020-01-01')
SELECT to_char(created, 'YYYY'), to_char(amount, '999') FROM orders
SELECT age(created, created) FROM orders
SELECT md5(region), md5('x'), ascii('x'), chr(65), repeat('x', 3), reverse('x'), initcap(region), lpad(region, 3), lpad(region, 3, 'x') FROM orders
SELECT text(1), int4('5'), float8(1), date('2020-01-01'), numeric(5), text(region) FROM orders
SELECT int4('x')
SELECT int4(n), float4(n), int8(i4), text(n) FROM nums
SELECT date(created), timestamp(day) FROM orders, odd
SELECT length(1)
SELECT coalesce(lower(region), 'x'), lower(coalesce(region, 'X')) FROM orders
SELECT nullif(lower(region), 'x') FROM orders
SELECT jsonb_typeof(doc), json_typeof(j), jsonb_array_length(doc) FROM docs
SELECT random(), now(), version(), current_schema(), current_database(), pg_typeof(1)
SELECT position('a' IN 'abc'), position(1 IN 'abc')
SELECT least(lower(region), 'x'), greatest(NULL, 1) FROM orders
SELECT width_bucket(5, 1, 10, 3), gcd(4, 6), lcm(4, 6), factorial(5), pi()
SELECT starts_with(region, 'x'), region ^@ 'x', translate(region, 'a', 'b'), btrim(region), ltrim(region, 'x'), quote_ident(region) FROM orders
SELECT regexp_replace(region, 'a', 'b'), regexp_replace(region, 'a', 'b', 'g') FROM orders
SELECT make_date(2020, 1, 1), to_timestamp(1), to_date('2020', 'YYYY'), justify_days(interval '40 days')
SELECT div(7, 2), div(7.5, 2), scale(n) FROM nums
