package cdc

import (
	"context"
	"errors"
	"fmt"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pgx/v5/pgconn"
)

// A partitioned table's changes are sent as its own, whatever partition they
// are in. What is not sent are the rows that come and go with a partition: by ATTACH,
// DETACH and DROP, and by a TRUNCATE of the partition alone. So the partitions are looked at
// where the table is announced (as before a partition's first change) and at
// every connection, and the table stops if rows came or went so.

// findLeaves reads the files of a table's partitions, by OID, and refuses what
// partitions may not be.
func (t *tableState) findLeaves(ctx context.Context, conn *pgconn.PgConn) (map[string]string, error) {
	rows, err := query(ctx, conn, fmt.Sprintf(`SELECT c.oid, pg_relation_filenode(c.oid), c.oid::regclass,
		CASE WHEN c.relkind = 'f' THEN 'a foreign table' WHEN c.relpersistence = 'u' THEN 'an unlogged table' END
		FROM pg_partition_tree(%d) l JOIN pg_class c ON c.oid = l.relid WHERE l.isleaf`, t.OID))
	if err != nil {
		return nil, &lostError{asPgerr(err, "looking up the partitions of table "+t.spec.String())}
	}
	leaves := make(map[string]string, len(rows))
	for _, r := range rows {
		if leaves[r[0]] = r[1]; r[3] != "" {
			return nil, pgerr.Newf(pgerr.WrongObjectType, "cannot capture %s: its partition %s is %s", t.spec, r[2], r[3]).
				WithDetail("Its changes are not in the source's log.")
		}
	}
	return leaves, nil
}

// checkLeaves compares the partitions with what they were before; the new ones
// may not have rows of before they were attached.
func (t *tableState) checkLeaves(ctx context.Context, conn *pgconn.PgConn, before map[string]string) error {
	now, err := t.findLeaves(ctx, conn)
	if err != nil {
		return err
	}
	t.leaves = now
	whole := true // a TRUNCATE of the table, which is sent, gives every partition a new file
	for oid, file := range before {
		at, there := now[oid]
		if !there {
			return t.partitionError("a partition was detached or dropped", "its rows are still here")
		}
		whole = whole && at != file
	}
	for oid, file := range now {
		old, known := before[oid]
		if known && (old == file || whole) {
			continue
		}
		name, older, err := olderRows(ctx, conn, oid, known)
		switch {
		case pgerr.CodeOf(err) == pgerr.InsufficientPrivilege:
			return t.partitionError("partition "+name+" is new or has a new file", "its rows may not be read, to see whether they are here")
		case err != nil:
			return &lostError{err}
		case !known && older:
			return t.partitionError("partition "+name+" was attached with rows in it", "these are not here")
		case known && !older:
			return t.partitionError("partition "+name+" was truncated by itself", "its rows are still here")
		}
	}
	return nil
}

// followLeaves checks the partitions at a new connection against those of the
// last one.
func (d *Discovered) followLeaves(ctx context.Context, conn *pgconn.PgConn, last []*tableState) error {
	for i, t := range d.tables {
		if t.failed != nil || i >= len(last) || last[i].leaves == nil {
			continue
		}
		err := t.checkLeaves(ctx, conn, last[i].leaves)
		var lost *lostError
		if errors.As(err, &lost) {
			return err
		}
		t.failed = err
	}
	return nil
}

func (t *tableState) partitionError(what, so string) error {
	return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "of table %s, %s upstream, which the source's server does not send", t.spec, what).
		WithDetail("%s.", upperFirst(so)).
		WithHint("Drop the source and create it again for a new snapshot. Rows that are inserted, deleted or truncated through the partitioned table are followed.")
}

func upperFirst(s string) string { return string(s[0]-'a'+'A') + s[1:] }

// olderRows reports whether a partition has rows that are older than its file
// or, of a new one, than its place in the table. One that was made as a
// partition can have the latter by its own transaction only.
func olderRows(ctx context.Context, conn *pgconn.PgConn, oid string, known bool) (name string, older bool, err error) {
	doing := "looking at a partition"
	rows, err := query(ctx, conn, `SELECT c.oid::regclass, c.xmin, i.xmin, i.cmin, i.xmin = y.xmin, has_table_privilege(c.oid, 'SELECT')
		FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_type y ON y.oid = c.reltype WHERE c.oid = `+oid)
	if err != nil || len(rows) == 0 {
		return "", false, asPgerr(err, doing)
	}
	r := rows[0]
	made := r[4] == "t"
	if !known && made && r[5] != "t" {
		return r[0], false, nil // made as a partition, and only readable through its table
	}
	where := fmt.Sprintf("age(xmin) > age('%s'::xid)", r[1])
	if !known {
		where = fmt.Sprintf("xmin = '%s'::xid AND cmin::text::bigint < %s", r[2], r[3])
		if !made {
			where += fmt.Sprintf(" OR age(xmin) > age('%s'::xid)", r[2])
		}
	}
	found, err := query(ctx, conn, "SELECT EXISTS (SELECT FROM ONLY "+r[0]+" WHERE "+where+")")
	if err != nil {
		return r[0], false, asPgerr(err, doing)
	}
	return r[0], found[0][0] == "t", nil
}
