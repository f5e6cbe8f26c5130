package cdc

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// Validate checks at the server all that a source needs, and gives the tables
// it would capture. It changes nothing there.
func Validate(ctx context.Context, cfg Config) (*Discovered, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	return validate(ctx, cfg)
}

func validate(ctx context.Context, cfg Config) (*Discovered, error) {
	conn, err := connect(ctx, &cfg, false)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var d *Discovered
	err = watched(ctx, &cfg, conn.PID(), nil, func(ctx context.Context) (err error) {
		if d, err = discover(ctx, conn, &cfg); err != nil {
			return err
		}
		if err = checkServer(ctx, conn, &cfg); err != nil {
			return err
		}
		return d.checkFilters(ctx, conn, &cfg)
	})
	if err != nil {
		return nil, err
	}
	for _, t := range d.tables {
		if t.failed != nil {
			return nil, t.failed
		}
		if !d.PublicationExists && !t.owned && cfg.SnapshotMode != SnapshotInitialOnly {
			return nil, pgerr.Newf(pgerr.InsufficientPrivilege, "must be owner of table %s to create publication %q for it", t.spec, cfg.PublicationName).
				WithHint("Let its owner run %s and name that publication in the option publication_name.", createPublication(&cfg, d.tables))
		}
	}
	if !d.PublicationExists && !d.canPub && cfg.SnapshotMode != SnapshotInitialOnly {
		return nil, pgerr.Newf(pgerr.InsufficientPrivilege, "permission denied to create publication %q in database %q", cfg.PublicationName, d.Database).
			WithHint("GRANT CREATE ON DATABASE %s to the source's user, or let someone else create the publication and name it in the option publication_name.", quoteIdent(d.Database))
	}
	repl, err := connect(ctx, &cfg, true)
	if err != nil {
		return nil, fmt.Errorf("opening a replication connection: %w", err)
	}
	defer repl.Close(context.WithoutCancel(ctx))
	err = watched(ctx, &cfg, repl.PID(), nil, func(ctx context.Context) error {
		_, err := pglogrepl.IdentifySystem(ctx, repl)
		return asPgerr(err, "opening a replication connection")
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// checkServer checks settings, the role and room for a slot.
func checkServer(ctx context.Context, conn *pgconn.PgConn, cfg *Config) error {
	rows, err := query(ctx, conn, `SELECT current_setting('wal_level'), current_setting('max_replication_slots')::int,
		current_setting('max_wal_senders')::int, (SELECT count(*) FROM pg_replication_slots), current_user,
		(SELECT rolsuper OR rolreplication OR EXISTS (SELECT 1 FROM pg_roles m WHERE m.rolname = 'rds_replication' AND pg_has_role(r.oid, m.oid, 'MEMBER'))
			FROM pg_roles r WHERE rolname = current_user),
		(SELECT count(*) FROM pg_replication_slots WHERE slot_name = `+quoteLiteral(cfg.SlotName)+`), current_setting('server_version_num')::int`)
	if err != nil {
		return asPgerr(err, "reading the source's settings")
	}
	r := rows[0]
	slots, _ := strconv.Atoi(r[1])
	used, _ := strconv.Atoi(r[3])
	exists := r[6] != "0"
	version, _ := strconv.Atoi(r[7])
	switch {
	case r[0] != "logical":
		return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "the source's server has wal_level = %s; logical is needed", r[0]).
			WithHint("Run ALTER SYSTEM SET wal_level = 'logical' there and restart it.")
	case r[5] != "t":
		return pgerr.Newf(pgerr.InsufficientPrivilege, "role %q of the source has no REPLICATION attribute", r[4]).
			WithHint("Run ALTER ROLE %s REPLICATION there as a superuser.", quoteIdent(r[4]))
	case r[2] == "0":
		return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "the source's server has max_wal_senders = 0").
			WithHint("Run ALTER SYSTEM SET max_wal_senders = 10 there and restart it.")
	case exists && !cfg.events && cfg.SnapshotMode != SnapshotNever && cfg.SnapshotMode != SnapshotInitialOnly:
		return pgerr.Newf(pgerr.DuplicateObject, "replication slot %q already exists in the source's server", cfg.SlotName).
			WithHint("Choose another one with the option slot_name, or, if nobody uses it, run SELECT pg_drop_replication_slot(%s) there.", quoteLiteral(cfg.SlotName))
	case cfg.Failover && version < 170000:
		return pgerr.Newf(pgerr.FeatureNotSupported, "failover slots need PostgreSQL 17 or later, and the source's server is PostgreSQL %d", version/10000).
			WithHint("Leave the option failover out.")
	case !exists && used >= slots:
		return pgerr.Newf(pgerr.ConfigurationLimitExceeded, "all %d replication slots of the source's server are in use", slots).
			WithHint("Free one, or raise max_replication_slots there and restart it.")
	}
	if exists && cfg.SnapshotMode != SnapshotInitialOnly && (!cfg.events || cfg.SnapshotMode == SnapshotNever) {
		return checkSlot(ctx, conn, cfg, connectors.Position{LSN: ^connectors.LSN(0)})
	}
	return nil
}

// checkSlot checks that the slot can give everything after start.
func checkSlot(ctx context.Context, conn *pgconn.PgConn, cfg *Config, start connectors.Position) error {
	rows, err := query(ctx, conn, `SELECT plugin, database, current_database(), wal_status, confirmed_flush_lsn,
		to_jsonb(s) ->> 'invalidation_reason', COALESCE((to_jsonb(s) ->> 'conflicting')::bool, false)
		FROM pg_replication_slots s WHERE slot_name = `+quoteLiteral(cfg.SlotName))
	if err != nil {
		return asPgerr(err, "looking up the replication slot")
	}
	if len(rows) == 0 {
		return errSlotGone(cfg)
	}
	r := rows[0]
	if r[0] != "pgoutput" || r[1] != r[2] {
		return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "replication slot %q is not of plugin pgoutput in database %q", cfg.SlotName, r[2]).
			WithHint("Choose another one with the option slot_name.")
	}
	if r[3] == "lost" || r[5] != "" || r[6] == "t" {
		reason := "wal_removed, by max_slot_wal_keep_size"
		if r[5] != "" {
			reason = r[5]
		}
		return positionLost(pgerr.ObjectNotInPrerequisite, "replication slot %q was invalidated by the source's server (%s): changes since the last position are lost", cfg.SlotName, reason)
	}
	confirmed, err := connectors.ParseLSN(r[4])
	if err == nil && confirmed > start.LSN {
		return positionLost(pgerr.ObjectNotInPrerequisite, "replication slot %q has been moved to %s, past the last position %s: the changes between are lost", cfg.SlotName, r[4], start.LSN)
	}
	return nil
}

// findPublication checks a publication that exists: its tables, columns and
// what it publishes.
func (d *Discovered) findPublication(ctx context.Context, conn *pgconn.PgConn, cfg *Config) error {
	rows, err := query(ctx, conn, `SELECT pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = `+quoteLiteral(cfg.PublicationName))
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		for _, t := range d.tables {
			if t.failed == nil {
				d.needFilter(t, cfg, "", nil)
			}
		}
		return nil
	}
	d.PublicationExists = true
	for i, what := range []string{"inserts", "updates", "deletes", "truncates"} {
		if rows[0][i] != "t" {
			return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "publication %q does not publish %s", cfg.PublicationName, what).
				WithHint("Run ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate').", quoteIdent(cfg.PublicationName))
		}
	}
	viaRoot := rows[0][4] == "t"
	own, recorded := ownComment(cfg, rows[0][5])
	d.filters = recorded
	columns := "'', ''"
	if d.Version >= 150000 {
		columns = "array_to_string(attnames, E'\\n'), rowfilter"
	}
	rows, err = query(ctx, conn, "SELECT schemaname, tablename, "+columns+" FROM pg_publication_tables WHERE pubname = "+quoteLiteral(cfg.PublicationName))
	if err != nil {
		return err
	}
	var missing []string
	for _, t := range d.tables {
		if t.failed != nil {
			continue
		}
		at := slices.IndexFunc(rows, func(r []string) bool { return r[0] == t.Schema && r[1] == t.Name })
		if at < 0 {
			e := pgerr.Newf(pgerr.ObjectNotInPrerequisite, "table %s is not part of publication %q", t.spec, cfg.PublicationName).
				WithHint("Run ALTER PUBLICATION %s ADD TABLE %s.", quoteIdent(cfg.PublicationName), t.spec)
			if t.kind == 'p' && !viaRoot {
				e = e.WithHint("Run ALTER PUBLICATION %s SET (publish_via_partition_root = true), and add the table if it is not listed.", quoteIdent(cfg.PublicationName))
			}
			if own && t.owned && (cfg.events || t.recreated(cfg)) {
				t.unpublished = e
				d.needFilter(t, cfg, "", nil)
				continue
			}
			t.failed = e
			missing = append(missing, t.spec.String())
			continue
		}
		d.needFilter(t, cfg, rows[at][3], recorded)
		if d.Version >= 150000 {
			t.restrict(strings.Split(rows[at][2], "\n"), cfg.PublicationName)
		}
	}
	if len(missing) > 1 {
		e := pgerr.Newf(pgerr.ObjectNotInPrerequisite, "tables %s are not part of publication %q", strings.Join(missing, ", "), cfg.PublicationName).
			WithHint("Run ALTER PUBLICATION %s ADD TABLE %s.", quoteIdent(cfg.PublicationName), strings.Join(missing, ", "))
		for _, t := range d.tables {
			if slices.Contains(missing, t.spec.String()) {
				t.failed = e
			}
		}
	}
	return nil
}

// recreated reports whether a table stands for one that was dropped, in a
// source that takes a new snapshot then.
func (t *tableState) recreated(cfg *Config) bool {
	return (cfg.SnapshotMode == SnapshotWhenNeeded || cfg.SnapshotMode == SnapshotAlways) && t.spec.Pin != nil && t.spec.Pin.OID != t.OID
}

// restrict leaves out the columns that the publication's column list lacks.
func (t *tableState) restrict(published []string, publication string) {
	kept, columns := t.columns[:0:0], t.Columns[:0:0]
	key := t.Key[:0:0]
	for i, c := range t.columns {
		if slices.Contains(published, c.name) {
			if slices.Contains(t.Key, i) {
				key = append(key, len(kept))
			}
			kept, columns = append(kept, c), append(columns, t.Columns[i])
		} else if len(t.spec.Columns) > 0 || slices.Contains(t.Key, i) {
			t.failed = pgerr.Newf(pgerr.ObjectNotInPrerequisite, "column %q of table %s is not part of publication %q", c.name, t.spec, publication)
			return
		}
	}
	t.columns, t.Columns, t.Key = kept, columns, key
}

// publicationMark is the comment by which we know a publication as our own.
// publicationPrefix begins the comment on the publications that are ours, and
// the slot's name follows.
const publicationPrefix = "created by helios-sql for slot "

func publicationMark(cfg *Config) string { return publicationPrefix + cfg.SlotName }

func createPublication(cfg *Config, tables []*tableState) string {
	there := slices.DeleteFunc(slices.Clone(tables), func(t *tableState) bool { return t.failed != nil })
	return fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s WITH (publish_via_partition_root = true)",
		quoteIdent(cfg.PublicationName), literals(there, (*tableState).published))
}

// from names the table as snapshots and publications do: without children
// that inherit, with partitions.
func (t *tableState) from() string {
	name := quoteIdent(t.Schema) + "." + quoteIdent(t.Name)
	if t.kind == 'p' {
		return name
	}
	return "ONLY " + name
}

// first sets the source up where there is no position yet: publication, slot
// and, by the mode, the snapshot. It gives the position to stream from.
func (r *run) first(ctx context.Context, conn *pgconn.PgConn, found *Discovered) (connectors.Position, error) {
	var at connectors.Position
	temporary, name := r.cfg.TemporarySlot, r.cfg.SlotName
	if r.cfg.SnapshotMode == SnapshotInitialOnly {
		// A slot of its own, for as long as the snapshot is read; nothing is streamed.
		temporary, name = true, r.passingSlot()
	}
	var have *connectors.LSN
	err := watched(ctx, &r.cfg, conn.PID(), nil, func(ctx context.Context) (err error) {
		have, err = r.makeReady(ctx, conn, found, name)
		return err
	})
	if err != nil {
		return at, err
	}
	if have != nil {
		return r.emptySnapshot(ctx, *have)
	}
	var plan *snapshotPlan
	if r.cfg.SnapshotMode != SnapshotNever {
		if plan, err = r.planSnapshot(ctx, conn); err != nil {
			return at, err
		}
	}
	if plan != nil {
		r.countChunks(plan)
	}
	made, repl, err := r.makeSlot(ctx, slotCommand(name, temporary, plan != nil, r.cfg.Failover && !temporary), nil)
	if err != nil {
		return at, err
	}
	if r.cfg.TemporarySlot {
		r.held = repl
	} else {
		defer repl.Close(context.WithoutCancel(ctx))
	}
	if plan == nil {
		return r.emptySnapshot(ctx, made.lsn)
	}
	at.LSN = made.lsn
	return at, r.firstSnapshot(ctx, conn, made, plan)
}

// makeReady makes the publication and sees to it that there is no slot of the
// name, or, with SnapshotNever, gives the position of the one that is there.
func (r *run) makeReady(ctx context.Context, conn *pgconn.PgConn, found *Discovered, name string) (*connectors.LSN, error) {
	if r.cfg.SnapshotMode != SnapshotInitialOnly {
		if err := r.ensurePublication(ctx, conn, found); err != nil {
			return nil, err
		}
	}
	slot, err := query(ctx, conn, "SELECT active, confirmed_flush_lsn, plugin FROM pg_replication_slots WHERE slot_name = "+quoteLiteral(name))
	if err != nil {
		return nil, asPgerr(err, "looking up the replication slot")
	}
	switch {
	case len(slot) == 0:
		return nil, nil
	case slot[0][2] != "pgoutput":
		return nil, pgerr.Newf(pgerr.DuplicateObject, "replication slot %q exists and is of plugin %s", name, slot[0][2]).
			WithHint("Choose another one with the option slot_name.")
	case r.cfg.SnapshotMode == SnapshotNever:
		if err := checkSlot(ctx, conn, &r.cfg, connectors.Position{LSN: ^connectors.LSN(0)}); err != nil {
			return nil, err
		}
		lsn, err := connectors.ParseLSN(slot[0][1])
		return &lsn, err
	case slot[0][0] == "t":
		return nil, slotInUse(&r.cfg)
	}
	// An earlier attempt ended within its snapshot: what it had is void.
	return nil, dropSlot(ctx, conn, &r.cfg)
}

// slotCommand is the command that makes a slot. Only PostgreSQL 17 and later
// take failover.
func slotCommand(name string, temporary, export, failover bool) string {
	kind, snapshot := "", "NOEXPORT_SNAPSHOT"
	if temporary {
		kind = "TEMPORARY "
	}
	if export {
		snapshot = "EXPORT_SNAPSHOT"
	}
	if failover {
		snapshot = "(SNAPSHOT 'nothing', FAILOVER)"
		if export {
			snapshot = "(SNAPSHOT 'export', FAILOVER)"
		}
	}
	return "CREATE_REPLICATION_SLOT " + name + " " + kind + "LOGICAL pgoutput " + snapshot
}

// createSlot gives where the slot starts, and the name of the snapshot as of there.
func createSlot(ctx context.Context, repl *pgconn.PgConn, command string) (connectors.LSN, string, error) {
	made, err := pglogrepl.ParseCreateReplicationSlot(repl.Exec(ctx, command))
	if err != nil {
		return 0, "", asPgerr(err, "creating the replication slot")
	}
	lsn, err := connectors.ParseLSN(made.ConsistentPoint)
	return lsn, made.SnapshotName, err
}

func (r *run) emptySnapshot(ctx context.Context, lsn connectors.LSN) (connectors.Position, error) {
	at := connectors.Position{LSN: lsn}
	if err := r.sink.SnapshotBegin(ctx); err != nil {
		return at, &sinkError{err}
	}
	if err := r.sink.SnapshotEnd(ctx, at); err != nil {
		return at, &sinkError{err}
	}
	return at, nil
}

func slotInUse(cfg *Config) error {
	return pgerr.Newf(pgerr.ObjectInUse, "replication slot %q is active for another connection", cfg.SlotName)
}

func (r *run) ensurePublication(ctx context.Context, conn *pgconn.PgConn, found *Discovered) error {
	if found.PublicationExists {
		return nil
	}
	if err := found.checkFilters(ctx, conn, &r.cfg); err != nil {
		return err
	}
	sql := createPublication(&r.cfg, found.tables) + "; COMMENT ON PUBLICATION " + quoteIdent(r.cfg.PublicationName) +
		" IS " + quoteLiteral(publicationMark(&r.cfg)+filterRecord(found.tables))
	_, err := conn.Exec(ctx, sql).ReadAll()
	return asPgerr(err, "creating the publication")
}

func dropSlot(ctx context.Context, conn *pgconn.PgConn, cfg *Config) error {
	_, err := query(ctx, conn, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = "+quoteLiteral(cfg.SlotName))
	return asPgerr(err, "dropping the replication slot")
}

// DropSlot frees the slot, ending a walsender that uses it, and, if asked to
// and if it was made by us for this slot, the publication. A slot or
// publication that is gone already is no error.
func DropSlot(ctx context.Context, cfg Config, dropPublication bool) error {
	if err := cfg.normalize(); err != nil {
		return err
	}
	conn, err := connect(ctx, &cfg, false)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return watched(ctx, &cfg, conn.PID(), nil, func(ctx context.Context) error { return freeSlot(ctx, conn, &cfg, dropPublication) })
}

func freeSlot(ctx context.Context, conn *pgconn.PgConn, cfg *Config, dropPublication bool) error {
	for try := 0; ; try++ {
		_, err := query(ctx, conn, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active AND slot_name = "+quoteLiteral(cfg.SlotName))
		if err == nil {
			err = dropSlot(ctx, conn, cfg)
		}
		if err == nil {
			break
		}
		if pgerr.CodeOf(err) != pgerr.ObjectInUse || try == 100 {
			return asPgerr(err, "dropping the replication slot")
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !dropPublication {
		return nil
	}
	rows, err := query(ctx, conn, "SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = "+quoteLiteral(cfg.PublicationName))
	if err == nil && len(rows) > 0 {
		if own, _ := ownComment(cfg, rows[0][0]); own {
			_, err = query(ctx, conn, "DROP PUBLICATION IF EXISTS "+quoteIdent(cfg.PublicationName))
		}
	}
	return asPgerr(err, "dropping the publication")
}
