SELECT 1 + 1, 1 + 1.5, 1 + 1::float8, 1::int2 + 1, 1::int8 + 1::int2, 1::float4 + 1::numeric, 1::int2 + 1::int2
SELECT 7 / 2, 7 % 2, 7.0 / 2, 2 ^ 3, 2.0 ^ 3, 5::float4 / 2
SELECT 1 + 'x'
SELECT 1 + '2'
SELECT '1' + '2'
SELECT '1' || '2'
SELECT 1 || 'x', 'x' || 1, region || amount, amount || region FROM orders
SELECT 1 || 2
SELECT 'a' < 'b', 'a' = 'b', NULL = NULL, NULL + 1
SELECT NULL + NULL
SELECT 1 + true
SELECT region + 1 FROM orders
SELECT 1 + region FROM orders
SELECT region = 1 FROM orders
SELECT id = 'x' FROM orders
SELECT id = '5', amount > '5.5', region < 'x', created > '2020-01-01' FROM orders
SELECT created > '2020-13-01' FROM orders
SELECT created > 'garbage' FROM orders
SELECT id = region FROM orders
SELECT active = 1 FROM orders
SELECT active = 't', active = 'maybe' FROM orders
SELECT - region FROM orders
SELECT + id, - amount, - 'x' FROM orders
SELECT - true
SELECT NOT active, NOT NULL, NOT 't' FROM orders
SELECT i2 = i8, i4 < n, f4 > f8, n = f8, i2 + f4, i4 * n, i8 / f4 FROM nums
SELECT i2::int4, i4::int2, n::int4, f8::numeric, i8::text, 'x'::text, '5'::int4 FROM nums
SELECT i4::bool, bool 't'::int4, 1::bool FROM nums
SELECT i8::bool FROM nums
SELECT n::bool FROM nums
SELECT n::date FROM nums
SELECT now()::int4
SELECT true::numeric
SELECT 'x'::nosuch
SELECT 'x'::public.nosuch
SELECT 'abc'::varchar(2), 'abc'::char(2), 1.555::numeric(3,2), 'a'::char, 'a'::varchar, 'a'::bpchar
SELECT 1::numeric(0)
SELECT 1::numeric(2000)
SELECT 1::numeric(10,2000)
SELECT 'x'::varchar(0)
SELECT 'x'::char(20000000)
SELECT 1::int4(3)
SELECT 'x'::text(3)
SELECT 'x'::int4
SELECT 'x'::numeric
SELECT '99999999999'::int4
SELECT '1e400'::float8
SELECT 'x'::bool, 1
SELECT '{a,b'::text[]
SELECT '{1,2}'::int[], '{a,b}'::text[]
SELECT date '2020-01-01', timestamp '2020-01-01 10:00', interval '1 day', time '10:00', timestamptz '2020-01-01 10:00+00'
SELECT date 'x'
SELECT interval 'x'
SELECT date '2020-01-01' + 1, date '2020-01-01' - date '2019-01-01', date '2020-01-01' + interval '1 day'
SELECT timestamp '2020-01-01' - timestamp '2019-01-01', timestamp '2020-01-01' + interval '1 hour', interval '1 day' * 2
SELECT created + interval '1 day', created - '1 day', created + '1 day', created - created, day - day, day + 1 FROM orders, odd
SELECT created + 1 FROM orders
SELECT created::date, created::text, created::time, day::timestamp FROM orders, odd
SELECT extract(year FROM created), extract(epoch FROM interval '1 day'), date_part('year', created) FROM orders
SELECT extract(nosuch FROM created) FROM orders
SELECT created AT TIME ZONE 'UTC' FROM orders
SELECT timestamp '2020-01-01' AT TIME ZONE 'UTC', timestamptz '2020-01-01' AT TIME ZONE 'UTC'
SELECT current_date, current_timestamp, localtimestamp, localtime, current_time, current_user, session_user
SELECT current_timestamp(3)
-- CASE and its kin
SELECT CASE WHEN true THEN 1 ELSE 2.5 END, CASE WHEN true THEN 'a' END, CASE WHEN true THEN NULL END
SELECT CASE WHEN true THEN 1 ELSE 'x' END
SELECT CASE WHEN true THEN 1 ELSE 'x'::text END
SELECT CASE WHEN true THEN 'x'::text ELSE 1 END
SELECT CASE WHEN 1 THEN 2 END
SELECT CASE id WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE region END FROM orders
SELECT CASE id WHEN 'x' THEN 1 END FROM orders
~ SELECT CASE region WHEN 1 THEN 1 END FROM orders
SELECT CASE 'a' WHEN 'b' THEN 1 END
SELECT CASE WHEN active THEN v ELSE c END FROM orders, chars
SELECT CASE WHEN active THEN v ELSE region END FROM orders, chars
SELECT CASE WHEN active THEN amount ELSE amount END, CASE WHEN active THEN amount ELSE n END FROM orders, nums
SELECT coalesce(amount, 0), coalesce(region, 'x'), coalesce(NULL, NULL), coalesce(i2, i8), coalesce(i4, 1.5) FROM orders, nums
SELECT coalesce(region, 1) FROM orders
SELECT coalesce(1, region) FROM orders
SELECT coalesce(id, 'x') FROM orders
SELECT coalesce(v, 'x'), coalesce(v, v), coalesce(c, v) FROM chars
SELECT greatest(1, 2.5), least('a', 'b'), greatest(id, amount), greatest(created, '2020-01-01') FROM orders
SELECT greatest(1, 'x')
SELECT greatest(1, true)
SELECT nullif(id, 1), nullif(region, 'x'), nullif('a', 'b'), nullif(1, 2.5) FROM orders
SELECT nullif(region, 1) FROM orders
SELECT nullif(1, 'x')
-- IN, BETWEEN, LIKE, IS
SELECT id IN (1, 2, 3), id NOT IN (1), region IN ('a', 'b', NULL), amount IN (1, 2.5) FROM orders
SELECT id IN (1, 'x') FROM orders
SELECT id IN ('1', '2') FROM orders
SELECT region IN (1, 2) FROM orders
SELECT id IN (1, user_id, 3) FROM orders
SELECT i2 IN (1, 2, 100000), i8 IN (1, 1.5), f8 IN (1, 2), i4 IN (1::int8, 2) FROM nums
SELECT id IN (1, true) FROM orders
SELECT id BETWEEN 1 AND 10, id NOT BETWEEN 1 AND 2.5, region BETWEEN SYMMETRIC 'b' AND 'a' FROM orders
SELECT id BETWEEN 1 AND 'x' FROM orders
SELECT region BETWEEN 1 AND 2 FROM orders
SELECT region LIKE 'a%', region NOT LIKE 'b', region ILIKE 'c', region LIKE 'a' ESCAPE '!', region SIMILAR TO 'a|b', region ~ 'x', region !~* 'y' FROM orders
SELECT id LIKE 'a' FROM orders
SELECT region LIKE 1 FROM orders
SELECT v LIKE 'x', c LIKE 'x', 'x' LIKE 'y' FROM chars
SELECT id IS NULL, region IS NOT NULL, active IS TRUE, active IS NOT FALSE, active IS UNKNOWN, NULL IS NULL, 'x' IS NULL FROM orders
SELECT id IS TRUE FROM orders
SELECT region IS TRUE FROM orders
SELECT id IS DISTINCT FROM 1, region IS NOT DISTINCT FROM NULL FROM orders
SELECT id IS DISTINCT FROM region FROM orders
SELECT (id, region) = (1, 'x'), (id, region) <> (1, 'x'), (id, region) < (1, 'x') FROM orders
SELECT (id, region) = (1, 2) FROM orders
SELECT (id, region) = (1, 'x', 2) FROM orders
SELECT (id, region) IN ((1, 'x'), (2, 'y')) FROM orders
SELECT (id, region) IS NULL FROM orders
SELECT (1, 2) IS DISTINCT FROM (1, 3)
SELECT id = ANY (ARRAY[1, 2]), region <> ALL (ARRAY['a', 'b']), id = ANY (ARRAY[1, 2.5]) FROM orders
SELECT region COLLATE "C" FROM orders
SELECT id COLLATE "C" FROM orders
-- names of columns
SELECT 1::int, 'x'::varchar(3), id::text, (id)::text, lower(region)::text, CAST(1 AS numeric(5,2)), 'x'::text::varchar, region::varchar FROM orders
SELECT CASE WHEN true THEN region END, CASE WHEN true THEN 1 ELSE id END, true, (1), -id, NOT active, region LIKE 'x' FROM orders
SELECT trim(region), trim(leading 'x' FROM region), substring(region FROM 1 FOR 2), position('x' IN region), overlay(region PLACING 'x' FROM 1), region COLLATE "C" FROM orders
SELECT double precision '1', real '1', bigint '1', smallint '1', decimal '1', boolean 't', character varying 'x'
-- literals
SELECT v = 'x', c = 'x', v || 'x', c || 'x', v || c, length(c), length(v), upper(v), upper(c) FROM chars
SELECT v = c, v = region, c = region, v < c FROM chars, orders
SELECT uid = '123e4567-e89b-12d3-a456-426614174000' FROM docs
SELECT uid = 'x' FROM docs
SELECT doc -> 'a', doc ->> 'a', doc -> 0, doc #> '{a,b}', doc @> '{}', doc ? 'a' FROM docs
SELECT doc @> 'x' FROM docs
SELECT j -> 'a', j ->> 'a' FROM docs
SELECT b || b, length(b), b = '\x00' FROM odd
SELECT b = '\xg' FROM odd
SELECT q = 'a', q || 'x', q::text, 'abc'::"char", q::int4 FROM chars
SELECT 1 IN ('1', 2), '1' IN (1, 2), NULL IN (1, 2), 1 IN (NULL), 1 IN (NULL, NULL), 'a' IN ('b', 'c')
SELECT v IN ('a', 'b'), c IN ('a', 'b'), v IN (c, 'x'), v IN ('a'::text, 'b'), c IN ('a'::text, 'b') FROM chars
SELECT created IN ('2020-01-01', '2020-01-02'), created IN (date '2020-01-01', '2020-01-02'), day IN (timestamp '2020-01-01', '2020-01-02') FROM orders, odd
SELECT active IN (true, false), active IN ('t', 'f') FROM orders
SELECT n IN (1, 2), f4 IN (1, 2.5), i2 IN (1, 2) FROM nums
SELECT i4 IN (1, '2x') FROM nums
SELECT interval '1 day' + time '10:00', time '10:00' + interval '1 hour', date '2020-01-01' + time '10:00', interval '1 day' / 2
SELECT '1 day'::interval * 1.5, 2 * interval '1 day', interval '1 day' > '1 hour', - interval '1 day'
SELECT '2020-01-01' + interval '1 day'
SELECT '2020-01-01'::date - 5, '2020-01-01'::date + '1 day'
SELECT now() - created, now() > created, created::timestamptz = created, day = created, day > now() FROM orders, odd
SELECT interval '1' day, interval '1:30' hour to minute, interval(3) '1.5555', '1 day'::interval(2)
SELECT timestamp(3) '2020-01-01 10:00:00.12345', time(2) '10:00:00.555', '2020-01-01'::timestamptz(0)
SELECT timestamp(-1) '2020-01-01'
SELECT '1'::int4 + '2', '1.5' + 1
SELECT 5 & 3, 5 | 3, 5 # 3, ~ 5, 1 << 3, 8 >> 1, @ -5, |/ 4.0
SELECT 5 & 3.5
SELECT 2 ^ '3', '2' ^ 3, '2' ^ '3'
SELECT 1 = 1.0, 1::int2 = 1::int8, 1.5 = 1.5::float8, 1 <> '1', 1 < '2'
SELECT 1 = '1.5'
SELECT 'a' || 'b' || 1, 1 || 'a' || NULL, NULL || 'x', NULL || NULL, 'x' || true, now() || 'x'
SELECT '{"a":1}'::jsonb || '{}', '[]'::jsonb - 0, '{}'::jsonb - 'a', '{}'::json::jsonb, '{}'::jsonb::json, '1'::jsonb::int4
SELECT doc ->> 'a' = 'x', (doc ->> 'a')::int > 5, doc #>> '{a}', doc -> 'a' -> 'b', doc ? 'x', doc ?| '{a}' FROM docs
SELECT j = j FROM docs
SELECT j < j FROM docs
SELECT doc = doc, doc < doc, doc = '{}' FROM docs
SELECT uid = uid, uid::text, '123e4567-e89b-12d3-a456-426614174000'::uuid, uid || 'x' FROM docs
SELECT uid + 1 FROM docs
SELECT b::text, 'x'::bytea, b = 'x', substr(b, 1), b LIKE 'x' FROM odd
SELECT id::oid, 5::oid, '5'::oid, 5::oid = 5, 5::oid < 6::int8 FROM orders
SELECT 'x'::name, 'x'::name = 'x', 'x'::name || 'y', 'x'::name = region, lower('X'::name) FROM orders
SELECT -(1), - -1, -(-1), +1, - 1.5, -'1'::int4
SELECT -32768::int2
SELECT (-32768)::int2, 32768::int2
~ SELECT CASE 1 WHEN 1.5 THEN 'x' WHEN '2' THEN 'y' END, CASE WHEN NULL THEN 1 END, CASE NULL WHEN 1 THEN 2 END
SELECT CASE WHEN true THEN 1::int2 ELSE 1::float4 END, CASE WHEN true THEN 1::float8 ELSE 1::numeric END, CASE WHEN true THEN date '2020-01-01' ELSE now() END
SELECT CASE WHEN true THEN interval '1 day' ELSE date '2020-01-01' END
SELECT coalesce(date '2020-01-01', timestamp '2020-01-01'), coalesce(1, 2::int8, 3.5), coalesce('x', 'y')
SELECT coalesce(day, 'garbage') FROM odd
SELECT coalesce()
SELECT greatest(n, f8), least(i2, n, f4), greatest(v, 'x'), least(day, created) FROM nums, chars, odd, orders
SELECT nullif(v, 'x'), nullif(c, 'x'), nullif(i2, 1), nullif(i4, i8), nullif(n, 1), nullif(active, true), nullif(day, '2020-01-01') FROM chars, nums, orders, odd
SELECT nullif(NULL, 1), nullif(1, NULL), nullif(NULL, NULL)
SELECT (1, 'a', 2.5) = (1, 'b', 3), (i4, i8) >= (1, 2), (day, 1) < ('2020-01-01', 2) FROM nums, odd
! SELECT (1, 2) + (3, 4)
! SELECT (1, 2) = 3
SELECT 1 IS DISTINCT FROM '1', NULL IS DISTINCT FROM NULL, 1 IS NOT DISTINCT FROM 1.5
SELECT true IS TRUE, NULL IS TRUE, 't' IS TRUE, 'x' IS NULL
SELECT true = 't', true > false, NOT 'f', true AND NULL, 't' OR 'f'
SELECT true AND 'x'
SELECT region ~ 'a', region !~ 'a', region ~* 'a', region ~~ 'a', region !~~ 'x', region ~~* 'x' FROM orders
SELECT region SIMILAR TO 'a' ESCAPE '!', region NOT SIMILAR TO 'b', region NOT ILIKE 'x' ESCAPE '' FROM orders
SELECT day LIKE 'x' FROM odd
SELECT v::varchar, v::varchar(5), v::varchar(3), c::char(3), c::char(5), amount::numeric, amount::numeric(10,2), amount::numeric(12,4) FROM chars, orders
SELECT CAST(NULL AS int), CAST(NULL AS varchar(5)), NULL::numeric(5,2)
SELECT 1::boolean, 0::bool, 'yes'::bool, true::text, true::varchar(2), false::int
SELECT '2020-01-01'::date::timestamp::timestamptz::date, '10:00'::time::interval, '1 day'::interval::time
SELECT 1::date
SELECT now()::date, now()::time, now()::timetz, now()::text, now()::timestamp(0)
SELECT current_date - 5, current_date > '2020-01-01', current_date + interval '1 day', now() - interval '1 hour', current_date - current_date
SELECT extract(year FROM day), extract(hour FROM time '10:00'), extract(epoch FROM now()), extract(dow FROM '2020-01-01') FROM odd
SELECT extract(year FROM 5)
SELECT 5 AT TIME ZONE 'UTC'
SELECT now() AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin', time '10:00' AT TIME ZONE 'UTC', now() AT TIME ZONE interval '1 hour'
SELECT overlay('abc' placing 'x' from 1 for 2), substring('abc' from 'b'), substring('abc' from 1), substring('abc' for 2), trim(both from 'x'), trim(trailing 'x' from 'y')
SELECT substring('abc' similar 'a' escape '#')
! SELECT '{1,2}'::int[] = '{1,2}', '{1,2}'::int[] || 3, '{a}'::text[] || 'b'
! SELECT array_length('{1,2}'::int[], 1), cardinality('{1}'::int[]), array_to_string('{1}'::int[], ',')
SELECT '5' @> '5'
SELECT CASE WHEN true THEN NULL::time ELSE NULL::date END
SELECT NULL::time IN (NULL::date, NULL::time)
SELECT NULL::oid = NULL::float4
SELECT c + 1 FROM chars
SELECT to_json('5')
SELECT bpchar(true)
UPDATE chars SET q = v
UPDATE chars SET v = 5, c = 'abc', q = 5
UPDATE docs SET doc = j
UPDATE docs SET j = 'x'
SELECT CASE WHEN true THEN 'x'::varchar(3) ELSE NULL END, coalesce(NULL::numeric(5,2), 1)
SELECT CASE WHEN true THEN (id, region) < (1, 'x') ELSE 1 END FROM orders
SELECT greatest(region, (id, 1) = (1, 1)) FROM orders
SELECT CASE WHEN true THEN id BETWEEN 1 AND 2 ELSE 1 END FROM orders
SELECT (id, region) < (1, 2), 1 FROM orders
