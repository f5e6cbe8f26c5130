package cdc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pgx/v5/pgconn"
)

// A partitioned table's changes are sent as its own, whatever partition they
// are in. What is not sent are the rows that come and go with a partition: by ATTACH,
// DETACH and DROP, and by a TRUNCATE of the partition alone. So the partitions are looked
// at every leavesEvery, and compared with those of before, which the sink keeps: where rows may have come
// or gone so, the sink is told that the table is stale. In doubt it is.

var leavesEvery = 2 * time.Second

// A Leaf is what a partition's rows are told by.
type Leaf struct {
	File  string // pg_relation_filenode
	Place string // the transactions that made it, and those above it, partitions
}

// findLeaves reads a table's partitions, by OID, and refuses what partitions
// may not be.
func (t *tableState) findLeaves(ctx context.Context, conn *pgconn.PgConn) (map[string]Leaf, error) {
	rows, err := query(ctx, conn, fmt.Sprintf(`SELECT c.oid, pg_relation_filenode(c.oid),
		(SELECT string_agg(i.xmin::text, ' ' ORDER BY i.inhrelid) FROM pg_partition_ancestors(c.oid) a JOIN pg_inherits i ON i.inhrelid = a.relid), c.oid::regclass,
		CASE WHEN c.relkind = 'f' THEN 'a foreign table' WHEN c.relpersistence = 'u' THEN 'an unlogged table' END
		FROM pg_partition_tree(%d) l JOIN pg_class c ON c.oid = l.relid WHERE l.isleaf`, t.OID))
	if err != nil {
		return nil, &lostError{asPgerr(err, "looking up the partitions of table "+t.spec.String())}
	}
	leaves := make(map[string]Leaf, len(rows))
	for _, r := range rows {
		if r[2] == "" {
			continue // it comes or goes at this moment
		}
		if leaves[r[0]] = (Leaf{r[1], r[2]}); r[4] != "" {
			return nil, pgerr.Newf(pgerr.WrongObjectType, "cannot capture %s: its partition %s is %s", t.spec, r[3], r[4]).
				WithDetail("Its changes are not in the source's log.")
		}
	}
	return leaves, nil
}

// followLeaves gives the found tables the partitions that the sink's rows are
// of: those of the last connection, or those that were kept.
func (d *Discovered) followLeaves(last []*tableState, streaming bool) {
	for i, t := range d.tables {
		before := t.spec.Leaves
		t.kept = before
		if i < len(last) {
			before, t.kept = last[i].leaves, last[i].kept
			t.truncated.Store(last[i].truncated.Load())
		}
		if streaming && t.leaves != nil && before != nil {
			t.leaves = before
		}
	}
}

// watchLeaves looks at the partitions until ctx ends, through a connection of
// its own, or until an error of the sink or one that the next connection tells of.
func (s *stream) watchLeaves(ctx context.Context, sink connectors.TableRefresher, tables []*tableState) error {
	var conn *pgconn.PgConn
	defer func() {
		if conn != nil {
			conn.Close(context.WithoutCancel(ctx))
		}
	}()
	tick := time.NewTicker(leavesEvery)
	defer tick.Stop()
	shown := ""
	for {
		var err error
		if conn == nil || conn.IsClosed() {
			conn, err = connect(ctx, &s.cfg, false)
		}
		for i := 0; err == nil && i < len(tables); i++ {
			err = s.lookAtLeaves(ctx, conn, sink, tables[i])
		}
		var se *sinkError
		switch text := fmt.Sprint(err); {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &se):
			return err
		case pgerr.CodeOf(err) == pgerr.WrongObjectType:
			return &lostError{err} // the next connection finds it again, and stops the table
		case err != nil && text != shown:
			shown = text
			s.log.Warn("looking at partitions failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// lookAtLeaves compares a table's partitions with those of before.
func (s *stream) lookAtLeaves(ctx context.Context, conn *pgconn.PgConn, sink connectors.TableRefresher, t *tableState) error {
	bounded, cancel := context.WithTimeout(ctx, s.cfg.patience())
	defer cancel()
	now, err := t.findLeaves(bounded, conn)
	if err != nil {
		return err
	}
	if !maps.Equal(now, t.leaves) {
		rows, err := query(bounded, conn, "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END")
		if err != nil {
			return err
		}
		// The truncations of the whole table that are seen there are sent; up to here.
		at, err := connectors.ParseLSN(rows[0][0])
		if err != nil {
			return err
		}
		if err := s.awaitDelivered(ctx, at); err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, s.cfg.patience())
		defer cancel()
		why, err := t.stale(bounded, conn, now)
		if err != nil {
			return err
		}
		// A later truncation of the whole table, say, may have been judged: the next look tells.
		if again, err := t.findLeaves(bounded, conn); err != nil || !maps.Equal(again, now) {
			return err
		}
		if why != nil {
			if err := sink.TableStale(ctx, t.ID, why); err != nil {
				return &sinkError{err}
			}
		}
		t.leaves = now
	}
	keeper, ok := s.sink.(connectors.ConfigKeeper)
	if !ok || t.kept != nil && maps.Equal(t.kept, now) {
		return nil
	}
	err = keeper.KeepConfig(ctx, func(config []byte) ([]byte, error) {
		var c Config
		if err := json.Unmarshal(config, &c); err != nil {
			return nil, fmt.Errorf("reading the source's configuration: %w", err)
		}
		for i := range c.TableSpecs {
			if spec := &c.TableSpecs[i]; spec.Schema == t.spec.Schema && spec.Name == t.spec.Name {
				spec.Leaves = now
			}
		}
		return json.Marshal(c)
	})
	if err != nil {
		return &sinkError{err}
	}
	t.kept = now
	return nil
}

// awaitDelivered waits until everything up to a position is handed on.
func (s *stream) awaitDelivered(ctx context.Context, at connectors.LSN) error {
	for s.m.delivered.Load() < uint64(at) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// stale tells why rows may have come or gone unsent, if they may, given what
// the partitions are now; nil: none have.
func (t *tableState) stale(ctx context.Context, conn *pgconn.PgConn, now map[string]Leaf) (why, err error) {
	for oid, before := range t.leaves {
		switch is, there := now[oid]; {
		case !there:
			return t.staleError("a partition was detached or dropped"), nil
		case is.Place != before.Place:
			return t.staleError("a partition was detached and attached again"), nil
		}
	}
	for _, oid := range slices.Sorted(maps.Keys(now)) {
		before, known := t.leaves[oid]
		if known && before == now[oid] {
			continue
		}
		name, older, by, err := olderRows(ctx, conn, oid, known)
		switch {
		case err != nil && pgerr.CodeOf(err) != pgerr.InsufficientPrivilege:
			return nil, err
		case err != nil:
			return t.staleError("partition " + name + " is new or has a new file, and may not be read"), nil
		case !known && older:
			return t.staleError("partition " + name + " was attached with rows in it"), nil
		case known && !older && by != "" && by != strconv.FormatUint(uint64(t.truncated.Load()), 10):
			return t.staleError("partition " + name + " was truncated by itself"), nil
		}
	}
	return nil, nil
}

func (t *tableState) staleError(what string) error {
	return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "of table %s, %s upstream, which the source's server does not send", t.spec, what)
}

// olderRows reports whether a partition has rows that are older than its file
// or, of a new one, than its place in the table. One that was made as a
// partition can have the latter by its own transaction only. by is the transaction that
// last changed the partition's definition, or file; "": it is gone.
func olderRows(ctx context.Context, conn *pgconn.PgConn, oid string, known bool) (name string, older bool, by string, err error) {
	doing := "looking at a partition"
	rows, err := query(ctx, conn, `SELECT c.oid::regclass, c.xmin, i.xmin, i.cmin, i.xmin = y.xmin, has_table_privilege(c.oid, 'SELECT')
		FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_type y ON y.oid = c.reltype WHERE c.oid = `+oid)
	if err != nil || len(rows) == 0 {
		return "", false, "", asPgerr(err, doing)
	}
	r := rows[0]
	made := r[4] == "t"
	if !known && made && r[5] != "t" {
		return r[0], false, r[1], nil // made as a partition, and only readable through its table
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
		return r[0], false, r[1], asPgerr(err, doing)
	}
	return r[0], found[0][0] == "t", r[1], nil
}
