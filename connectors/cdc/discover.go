package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/jackc/pgx/v5/pgconn"
)

// A Discovered is what Validate found at the server.
type Discovered struct {
	Tables   []connectors.Table
	Version  int // server_version_num
	SystemID string
	Database string
	// PublicationExists: it was there; else Run makes it.
	PublicationExists bool

	tables  []*tableState
	filters map[string]string // as they were recorded with the publication
	canPub  bool
	events  bool // definitions are followed: pins hold the OID only
}

// Pinned gives cfg with the discovered tables listed and pinned, which is what
// a source is to be run with for as long as it lives: Table.ID then never
// changes, and incompatible changes upstream are noticed.
func (d *Discovered) Pinned(cfg Config) Config {
	cfg.AllTables, cfg.Schemas, cfg.TableSpecs, cfg.SystemID = false, nil, nil, d.SystemID
	for _, t := range d.tables {
		if t.spec.Pin == nil {
			t.spec.Pin = &Pin{Columns: t.Columns, Key: t.Key}
		}
		if t.spec.Pin.OID == 0 && t.failed == nil {
			pin := Pin{OID: t.OID, Columns: t.spec.Pin.Columns, Key: t.spec.Pin.Key}
			for _, c := range pin.Columns {
				at := slices.IndexFunc(t.columns, func(k column) bool { return k.name == c.Name })
				pin.Attnums = append(pin.Attnums, t.columns[at].attnum)
			}
			t.spec.Pin = &pin
		}
		if !d.events {
			t.spec.Leaves = t.leaves
		}
		cfg.TableSpecs = append(cfg.TableSpecs, t.spec)
	}
	return cfg
}

// query runs one statement and gives its rows as text, NULL as "".
func query(ctx context.Context, conn *pgconn.PgConn, sql string) ([][]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows [][]string
	if len(results) == 0 {
		return nil, nil
	}
	for _, row := range results[len(results)-1].Rows {
		r := make([]string, len(row))
		for i, v := range row {
			r[i] = string(v)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// discover looks the captured tables up. Errors of one table are in its
// failed; an error returned is of the whole.
func discover(ctx context.Context, conn *pgconn.PgConn, cfg *Config) (*Discovered, error) {
	d := &Discovered{events: cfg.events}
	rows, err := query(ctx, conn, `SELECT current_setting('server_version_num'), current_database(),
		has_database_privilege(current_database(), 'CREATE'),
		(SELECT system_identifier FROM pg_control_system()), pg_is_in_recovery()`)
	if err != nil {
		return nil, asPgerr(err, "reading the source's settings")
	}
	d.Version, _ = strconv.Atoi(rows[0][0])
	d.Database, d.canPub, d.SystemID = rows[0][1], rows[0][2] == "t", rows[0][3]
	if d.Version < 140000 {
		return nil, pgerr.Newf(pgerr.FeatureNotSupported, "PostgreSQL %d is not supported as a source", d.Version/10000).
			WithHint("PostgreSQL 14 to 18 are.")
	}
	if rows[0][4] == "t" && d.Version < 160000 {
		// Which ends when it is promoted.
		return nil, pgerr.Newf(pgerr.CannotConnectNow, "the source's server is in recovery, and PostgreSQL %d does not decode there", d.Version/10000).
			WithHint("Connect to the primary, or promote this server.")
	}
	if err := checkSystem(cfg, d.SystemID); err != nil {
		return nil, err
	}
	if err := d.findTables(ctx, conn, cfg); err != nil {
		return nil, asPgerr(err, "looking up the source's tables")
	}
	if err := d.findColumns(ctx, conn, cfg); err != nil {
		return nil, asPgerr(err, "looking up the source's columns")
	}
	if err := d.findKeys(ctx, conn); err != nil {
		return nil, asPgerr(err, "looking up the source's replica identities")
	}
	if err := d.findPublication(ctx, conn, cfg); err != nil {
		return nil, asPgerr(err, "looking up the source's publication")
	}
	for _, t := range d.tables {
		if t.failed == nil && t.kind == 'p' {
			var lost *lostError
			if t.leaves, t.failed = t.findLeaves(ctx, conn); errors.As(t.failed, &lost) {
				return nil, t.failed
			}
		}
		if t.failed == nil && t.spec.Pin != nil {
			t.failed = t.checkPin(d.events)
		}
		if t.failed != nil && t.spec.Pin != nil {
			t.Columns, t.Key, t.OID = t.spec.Pin.Columns, t.spec.Pin.Key, t.spec.Pin.OID
		}
		d.Tables = append(d.Tables, t.Table)
	}
	return d, nil
}

func literals[T any](list []T, f func(T) string) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f(v))
	}
	return b.String()
}

// findTables fills d.tables, in the order of cfg.TableSpecs where they are listed.
func (d *Discovered) findTables(ctx context.Context, conn *pgconn.PgConn, cfg *Config) error {
	where := "c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
	switch {
	case len(cfg.TableSpecs) > 0:
		where = "(n.nspname, c.relname) IN (" + literals(cfg.TableSpecs, func(t TableSpec) string {
			return "(" + quoteLiteral(t.Schema) + ", " + quoteLiteral(t.Name) + ")"
		}) + ")"
		for _, t := range cfg.TableSpecs {
			if t.Pin != nil {
				where += fmt.Sprintf(" OR c.oid = %d", t.Pin.OID)
			}
		}
	case len(cfg.Schemas) > 0:
		for _, s := range cfg.Schemas {
			r, err := query(ctx, conn, "SELECT 1 FROM pg_namespace WHERE nspname = "+quoteLiteral(s))
			if err != nil {
				return err
			}
			if len(r) == 0 {
				return pgerr.Newf(pgerr.InvalidSchemaName, "schema %q does not exist in the source", s)
			}
		}
		where += " AND n.nspname IN (" + literals(cfg.Schemas, quoteLiteral) + ")"
	}
	rows, err := query(ctx, conn, `SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident,
		row_security_active(c.oid), has_schema_privilege(n.oid, 'USAGE'), has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'),
		pg_has_role(c.relowner, 'USAGE'),
		(SELECT string_agg(DISTINCT p.relreplident::text, '') FROM pg_partition_tree(c.oid) l JOIN pg_class p ON p.oid = l.relid WHERE l.isleaf AND p.relkind = 'r'),
		c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE `+where+` ORDER BY n.nspname, c.relname`)
	if err != nil {
		return err
	}
	if len(cfg.TableSpecs) == 0 {
		for _, r := range rows {
			d.add(TableSpec{Schema: r[1], Name: r[2]}, r)
		}
		if len(rows) == 0 {
			return pgerr.Newf(pgerr.UndefinedTable, "there are no tables to capture in the source")
		}
		return nil
	}
	for _, spec := range cfg.TableSpecs {
		at := -1
		for i, r := range rows {
			if spec.Pin != nil && r[0] == strconv.FormatUint(uint64(spec.Pin.OID), 10) {
				at = i
				break
			}
			if r[1] == spec.Schema && r[2] == spec.Name {
				at = i
			}
		}
		if at >= 0 {
			d.add(spec, rows[at])
			continue
		}
		t := d.add(spec, nil)
		t.failed = pgerr.Newf(pgerr.UndefinedTable, "relation %q.%q does not exist in the source", spec.Schema, spec.Name)
	}
	return nil
}

// add appends a table and checks what its pg_class row tells.
func (d *Discovered) add(spec TableSpec, r []string) *tableState {
	t := &tableState{spec: spec}
	t.ID, t.Schema, t.Name = len(d.tables), spec.Schema, spec.Name
	d.tables = append(d.tables, t)
	if r == nil {
		return t
	}
	oid, _ := strconv.ParseUint(r[0], 10, 32)
	t.OID, t.Schema, t.Name = uint32(oid), r[1], r[2]
	t.kind, t.identity, t.owned, t.parent = r[3][0], r[5][0], r[9] == "t", r[11] == "t"
	t.Partitioned = t.kind == 'p'
	t.failed = t.checkClass(r)
	return t
}

func (t *tableState) checkClass(r []string) error {
	kinds := map[byte]string{'v': "a view", 'm': "a materialized view", 'f': "a foreign table", 'S': "a sequence",
		'i': "an index", 'I': "an index", 'c': "a composite type", 't': "a TOAST table"}
	if what := kinds[t.kind]; what != "" {
		return pgerr.Newf(pgerr.WrongObjectType, "cannot capture %s: it is %s", t.spec, what).
			WithDetail("Only tables and partitioned tables have changes in the source's log.")
	}
	switch r[4] {
	case "u":
		return pgerr.Newf(pgerr.WrongObjectType, "cannot capture %s: it is an unlogged table", t.spec).
			WithDetail("Its changes are not in the source's log.").WithHint("ALTER TABLE %s SET LOGGED makes it a logged one.", t.spec)
	case "t":
		return pgerr.Newf(pgerr.WrongObjectType, "cannot capture %s: it is a temporary table", t.spec)
	}
	if r[7] != "t" {
		return pgerr.Newf(pgerr.InsufficientPrivilege, "permission denied for schema %s of the source", quoteIdent(t.Schema)).
			WithHint("GRANT USAGE ON SCHEMA %s to the source's user.", quoteIdent(t.Schema))
	}
	if r[8] != "t" {
		return t.noSelect()
	}
	if r[6] == "t" {
		return pgerr.Newf(pgerr.InsufficientPrivilege, "row-level security of table %s applies to the source's user", t.spec).
			WithDetail("The snapshot would lack the rows that the policies hide.").WithHint("Use the table's owner, or a user with BYPASSRLS.")
	}
	if t.kind == 'p' {
		leaves := strings.ReplaceAll(r[10], string(t.identity), "")
		if leaves != "" {
			return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "partitions of %s have another replica identity than the partitioned table", t.spec).
				WithHint("Set the same REPLICA IDENTITY for the table and all of its partitions.")
		}
	}
	return nil
}

func (t *tableState) noSelect() error {
	return pgerr.Newf(pgerr.InsufficientPrivilege, "permission denied for table %s of the source", t.spec).
		WithHint("GRANT SELECT ON %s to the source's user.", t.spec)
}

// byOID gives the tables that can still be looked at.
func (d *Discovered) byOID() (map[string]*tableState, string) {
	m := map[string]*tableState{}
	list := []string{"0"}
	for _, t := range d.tables {
		if t.failed == nil {
			oid := strconv.FormatUint(uint64(t.OID), 10)
			m[oid] = t
			list = append(list, oid)
		}
	}
	return m, strings.Join(list, ", ")
}

func (d *Discovered) findColumns(ctx context.Context, conn *pgconn.PgConn, cfg *Config) error {
	tables, oids := d.byOID()
	// From PostgreSQL 18 on a publication may have stored generated columns
	// (publish_generated_columns, or by a column list).
	generated := "false"
	if d.Version >= 180000 {
		generated = `EXISTS (SELECT FROM pg_publication_tables p JOIN pg_class c ON c.relname = p.tablename JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname
			WHERE p.pubname = ` + quoteLiteral(cfg.PublicationName) + ` AND c.oid = a.attrelid AND a.attname = ANY (p.attnames))`
	}
	rows, err := query(ctx, conn, `WITH RECURSIVE base AS (
		SELECT a.attrelid, a.attnum, a.atttypid AS typ, a.atttypmod AS mod FROM pg_attribute a
		WHERE a.attrelid IN (`+oids+`) AND a.attnum > 0 AND NOT a.attisdropped
		UNION ALL
		SELECT b.attrelid, b.attnum, t.typbasetype, t.typtypmod FROM base b JOIN pg_type t ON t.oid = b.typ WHERE t.typtype = 'd')
		SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, a.attgenerated <> '' AND NOT `+generated+`, b.typ, b.mod,
		format_type(a.atttypid, a.atttypmod), has_column_privilege(a.attrelid, a.attnum, 'SELECT')
		FROM base b JOIN pg_type t ON t.oid = b.typ AND t.typtype <> 'd'
		JOIN pg_attribute a ON a.attrelid = b.attrelid AND a.attnum = b.attnum ORDER BY a.attrelid, a.attnum`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		t := tables[r[0]]
		if t.failed != nil {
			continue
		}
		listed := len(t.spec.Columns) == 0 || slices.Contains(t.spec.Columns, r[1])
		if r[6] == "t" {
			// pgoutput does not send generated columns unless the publication has them.
			if listed && len(t.spec.Columns) > 0 {
				t.failed = pgerr.Newf(pgerr.FeatureNotSupported, "column %q of table %s is a generated column, which the source does not send", r[1], t.spec).
					WithHint("Leave it out and compute it in a view.")
			}
			continue
		}
		if !listed || t.spec.Pin != nil && !d.events && !slices.ContainsFunc(t.spec.Pin.Columns, func(c types.Column) bool { return c.Name == r[1] }) {
			continue
		}
		if r[10] != "t" {
			t.failed = pgerr.Newf(pgerr.InsufficientPrivilege, "permission denied for column %q of table %s of the source", r[1], t.spec).
				WithHint("GRANT SELECT ON %s to the source's user, or list the columns to capture.", t.spec)
			continue
		}
		attnum, _ := strconv.Atoi(r[2])
		upOID, _ := strconv.ParseUint(r[3], 10, 32)
		upMod, _ := strconv.ParseInt(r[4], 10, 32)
		base, _ := strconv.ParseUint(r[7], 10, 32)
		mod, _ := strconv.ParseInt(r[8], 10, 32)
		c := column{name: r[1], attnum: int16(attnum), upOID: uint32(upOID), upMod: int32(upMod), notNull: r[5] == "t", typeName: r[9]}
		c.typ, c.asText = carried(types.OID(base), int32(mod))
		t.columns = append(t.columns, c)
		t.Columns = append(t.Columns, types.Column{Name: c.name, Type: c.typ, NotNull: c.notNull})
	}
	for _, t := range tables {
		for i, name := range t.spec.Columns {
			if t.failed == nil && slices.Contains(t.spec.Columns[:i], name) {
				t.failed = pgerr.Newf(pgerr.DuplicateColumn, "column %q of table %s specified more than once", name, t.spec)
			}
			if t.failed == nil && t.spec.Pin == nil && !slices.ContainsFunc(t.columns, func(c column) bool { return c.name == name }) {
				t.failed = pgerr.Newf(pgerr.UndefinedColumn, "column %q of table %s does not exist in the source", name, t.spec)
			}
		}
		if t.failed == nil && len(t.columns) == 0 && t.spec.Pin == nil {
			t.failed = pgerr.Newf(pgerr.InvalidTableDefinition, "table %s of the source has no columns to capture", t.spec)
		}
	}
	return nil
}

// carried gives the type that we carry an upstream type as, and whether the
// snapshot has to ask for its text.
func carried(oid types.OID, mod int32) (types.Type, bool) {
	switch oid {
	case types.Bool, types.Bytea, types.Char, types.Name, types.Int8, types.Int2, types.Int4, types.Text,
		types.OIDType, types.JSON, types.Float4, types.Float8, types.BPChar, types.VarChar, types.Date,
		types.Time, types.Timestamp, types.TimestampTZ, types.Interval, types.TimeTZ, types.Numeric,
		types.UUID, types.JSONB:
		return types.Type{OID: oid, Mod: mod}, false
	case types.BoolArray, types.ByteaArray, types.NameArray, types.Int2Array, types.Int4Array, types.TextArray,
		types.BPCharArray, types.VarCharArray, types.Int8Array, types.Float4Array, types.Float8Array,
		types.OIDArray, types.TimestampArray, types.DateArray, types.TimeArray, types.TimestampTZArray,
		types.IntervalArray, types.NumericArray, types.JSONArray, types.JSONBArray, types.UUIDArray:
		return types.Type{OID: oid, Mod: mod}, true
	}
	return types.T(types.Text), true
}

// findKeys reads the replica identities.
func (d *Discovered) findKeys(ctx context.Context, conn *pgconn.PgConn) error {
	tables, oids := d.byOID()
	rows, err := query(ctx, conn, `SELECT indrelid, indisprimary, indisreplident, indkey::text FROM pg_index
		WHERE indrelid IN (`+oids+`) AND indisunique AND indisvalid AND indimmediate AND (indisprimary OR indisreplident)`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		t := tables[r[0]]
		if t.identity == 'd' && r[1] == "t" || t.identity == 'i' && r[2] == "t" {
			t.setKey(r[3])
		}
		if r[1] == "t" {
			t.primary = strings.Fields(r[3])
		}
	}
	for _, t := range tables {
		if t.failed == nil && t.identity != 'f' && len(t.Key) == 0 {
			why := "it has no primary key"
			switch t.identity {
			case 'n':
				why = "its replica identity is NOTHING"
			case 'i':
				why = "the index of its replica identity is gone"
			}
			t.failed = pgerr.Newf(pgerr.ObjectNotInPrerequisite, "cannot capture table %s: %s", t.spec, why).
				WithDetail("Updates and deletes could not be told apart by row.").
				WithHint("Run ALTER TABLE %s REPLICA IDENTITY FULL, or give it a primary key.", t.spec)
		}
	}
	return nil
}

// setKey takes the attribute numbers of the identity's index, in the order of
// the table's columns.
func (t *tableState) setKey(indkey string) {
	attnums := strings.Fields(indkey)
	for i, c := range t.columns {
		if at := slices.Index(attnums, strconv.Itoa(int(c.attnum))); at >= 0 {
			t.Key = append(t.Key, i)
			attnums = slices.Delete(attnums, at, at+1)
		}
	}
	if len(attnums) > 0 && t.failed == nil {
		t.failed = pgerr.Newf(pgerr.ObjectNotInPrerequisite, "the captured columns of table %s lack a column of its replica identity", t.spec).
			WithHint("List all columns of the primary key or replica identity index, or run ALTER TABLE %s REPLICA IDENTITY FULL.", t.spec)
	}
}

// verify asks the server whether the columns are still those of the pin.
func (t *tableState) verify(ctx context.Context, conn *pgconn.PgConn) error {
	rows, err := query(ctx, conn, fmt.Sprintf("SELECT attname, attnum FROM pg_attribute WHERE attrelid = %d AND attnum > 0 AND NOT attisdropped", t.OID))
	if err != nil {
		return &lostError{asPgerr(err, "looking up the columns of table "+t.spec.String())}
	}
	for i, c := range t.spec.Pin.Columns {
		for _, r := range rows {
			if r[0] == c.Name && r[1] != strconv.Itoa(int(t.spec.Pin.Attnums[i])) {
				return pgerr.Newf(pgerr.UndefinedColumn, "column %q of table %s was dropped and added again upstream", c.Name, t.spec).
					WithHint("Drop the source and create it again to capture the table with its new definition.")
			}
		}
	}
	return nil
}

// checkPin compares the table with what it was when the source was created.
// With events its columns may become others.
func (t *tableState) checkPin(events bool) error {
	pin := t.spec.Pin
	again := "Drop the source and create it again to capture the table with its new definition."
	var recreated error
	if pin.OID != 0 && t.OID != pin.OID {
		recreated = pgerr.Newf(pgerr.UndefinedTable, "table %s was dropped and created again upstream", t.spec).WithHint("%s", again)
	}
	if events {
		return recreated
	}
	for i, c := range pin.Columns {
		at := slices.IndexFunc(t.columns, func(k column) bool { return k.name == c.Name })
		switch {
		case at < 0:
			return pgerr.Newf(pgerr.UndefinedColumn, "column %q of table %s was dropped or renamed upstream", c.Name, t.spec).WithHint("%s", again)
		case pin.OID == t.OID && t.columns[at].attnum != pin.Attnums[i]:
			return pgerr.Newf(pgerr.UndefinedColumn, "column %q of table %s was dropped and added again upstream", c.Name, t.spec).WithHint("%s", again)
		case t.columns[at].typ != c.Type:
			return pgerr.Newf(pgerr.DatatypeMismatch, "the type of column %q of table %s was changed upstream from %s to %s", c.Name, t.spec, c.Type, t.columns[at].typeName).WithHint("%s", again)
		}
		if at != i { // a stream has them in the table's order
			return pgerr.Newf(pgerr.UndefinedColumn, "the columns of table %s are in another order upstream", t.spec).WithHint("%s", again)
		}
		t.Columns[at].NotNull = c.NotNull
		t.columns[at].notNull = c.NotNull
	}
	if t.identity == 'f' {
		t.Key = pin.Key
	}
	if !slices.Equal(t.Key, pin.Key) {
		return t.identityChanged("its key columns are others")
	}
	return recreated
}
