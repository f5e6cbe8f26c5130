-- Transactions on helios-sql's own tables: all of a block or nothing, and every view moves with it.
CREATE TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance numeric(10,2) NOT NULL DEFAULT 0);
CREATE MATERIALIZED VIEW bank AS SELECT count(*) AS accounts, sum(balance) AS money FROM accounts;
INSERT INTO accounts (id, owner, balance) VALUES (1, 'ann', 100), (2, 'bob', 50) RETURNING *;
SELECT * FROM bank;

BEGIN;
UPDATE accounts SET balance = balance - 30 WHERE id = 1;
UPDATE accounts SET balance = balance + 30 WHERE id = 2;
SELECT * FROM accounts ORDER BY id;
COMMIT;
SELECT * FROM bank;

BEGIN;
DELETE FROM accounts WHERE owner = 'ann';
SAVEPOINT before_mistake;
INSERT INTO accounts VALUES (2, 'twice', 1);
ROLLBACK TO before_mistake;
SELECT * FROM accounts ORDER BY id;
ROLLBACK;
SELECT * FROM accounts ORDER BY id;

INSERT INTO accounts VALUES (2, 'bob', 1), (3, 'cid', 7)
  ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + excluded.balance RETURNING id, balance;
SELECT * FROM bank;

PREPARE deposit (int, numeric) AS UPDATE accounts SET balance = balance + $2 WHERE id = $1 RETURNING balance;
EXECUTE deposit(3, 0.50);

COPY accounts TO STDOUT WITH (FORMAT csv, HEADER);
