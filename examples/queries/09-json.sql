-- Documents: jsonb fields in filters, groups and aggregates.
CREATE TABLE documents (id int PRIMARY KEY, body jsonb NOT NULL);
INSERT INTO documents VALUES
  (1, '{"type": "order", "customer": {"name": "Ada", "vip": true}, "lines": [{"sku": "A1", "n": 2}, {"sku": "B2", "n": 1}], "total": 12.50}'),
  (2, '{"type": "order", "customer": {"name": "Bob"}, "lines": [], "total": 0}'),
  (3, '{"type": "note", "text": "call Ada", "tags": ["todo", "phone"]}');

CREATE MATERIALIZED VIEW document_orders AS
  SELECT id, body -> 'customer' ->> 'name' AS customer, (body ->> 'total')::numeric AS total, jsonb_array_length(body -> 'lines') AS lines,
         coalesce((body #>> '{customer,vip}')::boolean, false) AS vip
  FROM documents WHERE body ->> 'type' = 'order';
CREATE MATERIALIZED VIEW document_types AS SELECT body -> 'type' AS type, count(*) AS documents FROM documents GROUP BY 1;

SELECT * FROM document_orders ORDER BY id;
SELECT * FROM document_types ORDER BY type;
UPDATE documents SET body = jsonb_set(body, '{total}', '99.95') WHERE id = 2;
UPDATE documents SET body = body || '{"type": "order", "customer": {"name": "Eve"}}' WHERE id = 3;
SELECT * FROM document_orders ORDER BY id;
SELECT * FROM document_types ORDER BY type;
SELECT id FROM documents WHERE body @> '{"customer": {"vip": true}}' OR body ? 'tags' ORDER BY id;
