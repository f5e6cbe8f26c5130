package cdc

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/jackc/pgx/v5/pgconn"
)

// A Table is the definition of a captured table, as of some events. It never
// changes: a changed table is another Table with the next Version.
type Table struct {
	Schema, Name string
	OID          uint32
	Version      int // 1 where the source began, one more with each change seen
	Columns      []Column
	// Key are the columns (0-based) of the replica identity; empty: the whole row (FULL).
	Key []int `json:",omitempty"`
	// PrimaryKey are the columns of the primary key, as far as it is known.
	PrimaryKey []int `json:",omitempty"`

	assumed bool // of the catalog, which may be newer than the log that is read
}

// A Column is a column of a captured table.
type Column struct {
	Name     string
	Type     types.Type // that its values have here; text for types not known
	TypeName string     // upstream, as format_type spells it
	TypeOID  uint32     // upstream
	TypeMod  int32
	NotNull  bool  `json:",omitempty"` // when it was last looked up: the log does not tell
	Attnum   int16 `json:",omitempty"` // upstream; 0: not looked up
}

// Column gives a column's index by name; −1 if there is none.
func (t *Table) Column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// String gives the quoted name with its schema.
func (t *Table) String() string { return quoteIdent(t.Schema) + "." + quoteIdent(t.Name) }

// same reports whether two definitions differ in nothing that the log tells.
func (t *Table) same(o *Table) bool {
	return t.Schema == o.Schema && t.Name == o.Name && slices.Equal(t.Key, o.Key) &&
		slices.EqualFunc(t.Columns, o.Columns, func(a, b Column) bool {
			return a.Name == b.Name && a.TypeOID == b.TypeOID && a.TypeMod == b.TypeMod
		})
}

// definition is the table as it was discovered.
func (t *tableState) definition() *Table {
	d := &Table{Schema: t.Schema, Name: t.Name, OID: t.OID, Version: 1, Key: t.Key}
	for i, c := range t.columns {
		d.Columns = append(d.Columns, Column{c.name, c.typ, c.typeName, c.upOID, c.upMod, c.notNull, c.attnum})
		if slices.Contains(t.primary, strconv.Itoa(int(c.attnum))) {
			d.PrimaryKey = append(d.PrimaryKey, i)
		}
	}
	return d
}

// adopt makes the table what it is at the position that is read from.
func (t *tableState) adopt(d *Table) {
	t.Schema, t.Name, t.Key = d.Schema, d.Name, d.Key
	t.columns, t.Columns = nil, nil
	for _, c := range d.Columns {
		_, asText := carried(c.Type.OID, c.Type.Mod)
		asText = asText || c.Type.OID == types.Text && types.OID(c.TypeOID) != types.Text
		t.columns = append(t.columns, column{name: c.Name, attnum: c.Attnum, upOID: c.TypeOID, upMod: c.TypeMod, typ: c.Type, typeName: c.TypeName, asText: asText})
		t.Columns = append(t.Columns, types.Column{Name: c.Name, Type: c.Type})
	}
}

// adoptVersions gives the found tables the definitions that the sink knows of
// them, or makes theirs the first. Within an unfinished snapshot, of all tables or of
// added ones, a table whose definition is another begins anew by the one that was found.
func (r *run) adoptVersions(found *Discovered, unfinished bool) {
	if r.versions != nil {
		r.versions = slices.Clone(r.versions[:min(len(r.versions), len(found.tables)-r.adding+r.begun)])
		for _, t := range found.tables {
			if t.ID == len(r.versions) { // it is added
				d := t.definition()
				d.assumed = r.cfg.SnapshotMode == SnapshotNever
				r.versions = append(r.versions, d)
				continue
			}
			d, is, old := t.definition(), t.fingerprint(), r.versions[t.ID]
			if t.adopt(old); (unfinished || r.isAdded(t)) && t.failed == nil && t.fingerprint() != is {
				d.Version = old.Version + 1
				t.adopt(d)
				r.versions[t.ID] = d
				r.told = r.told && r.isAdded(t) // whose snapshot tells the sink
			}
		}
		return
	}
	for _, t := range found.tables {
		d := t.definition()
		d.assumed = r.cfg.SnapshotMode == SnapshotNever
		r.versions = append(r.versions, d)
	}
}

type upstreamType struct {
	oid uint32
	mod int32
}

type carriedType struct {
	typ  types.Type
	name string
}

// A follower follows changes of tables' definitions, as Relation messages tell them.
type follower struct {
	asm     *assembler
	known   map[upstreamType]carriedType
	resolve func(upstreamType) (carriedType, error) // asks the server
}

// relation makes a table what the message says it is now.
func (f *follower) relation(rel *relation, schema, name string, cols []wireColumn, identity byte) error {
	t := rel.table
	old := f.asm.noted[t.ID]
	now := &Table{Schema: schema, Name: name, OID: t.OID, Version: old.Version + 1}
	if old.assumed {
		now.Version = old.Version
	}
	for i, c := range cols {
		if len(t.spec.Columns) > 0 && !slices.Contains(t.spec.Columns, c.name) {
			continue
		}
		col := Column{Name: c.name, TypeOID: c.oid, TypeMod: c.mod}
		at := old.Column(c.name)
		if at >= 0 && old.Columns[at].TypeOID == c.oid && old.Columns[at].TypeMod == c.mod {
			col = old.Columns[at]
		} else {
			carried, err := f.carried(upstreamType{c.oid, c.mod})
			if err != nil {
				return err
			}
			col.Type, col.TypeName = carried.typ, carried.name
		}
		if c.key && (identity == 'd' || identity == 'i') {
			now.Key = append(now.Key, len(now.Columns))
		}
		if identity == 'd' && c.key || identity != 'd' && at >= 0 && slices.Contains(old.PrimaryKey, at) {
			now.PrimaryKey = append(now.PrimaryKey, len(now.Columns))
		}
		rel.types[i] = col.Type
		now.Columns = append(now.Columns, col)
	}
	if now.same(old) && !old.assumed {
		now = old
	}
	rel.version = now
	t.adopt(now)
	return nil
}

func (f *follower) carried(t upstreamType) (carriedType, error) {
	if c, ok := f.known[t]; ok {
		return c, nil
	}
	c, err := f.resolve(t)
	if err == nil {
		f.known[t] = c
	}
	return c, err
}

// resolveType looks up what a type is based on and how it is spelled. A type
// that is gone is text.
func resolveType(ctx context.Context, conn *pgconn.PgConn, t upstreamType) (carriedType, error) {
	rows, err := query(ctx, conn, fmt.Sprintf(`WITH RECURSIVE base AS (
		SELECT oid, typtype, typbasetype, typtypmod, %d AS mod FROM pg_type WHERE oid = %d
		UNION ALL
		SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, b.typtypmod FROM base b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd')
		SELECT oid, mod, format_type(%d, %d) FROM base WHERE typtype <> 'd'`, t.mod, t.oid, t.oid, t.mod))
	if err != nil {
		err = asPgerr(err, "looking up a type of the source")
		if IsTransient(err) || pgerr.CodeOf(err) == pgerr.InternalError {
			return carriedType{}, &lostError{err}
		}
		return carriedType{}, err
	}
	if len(rows) == 0 {
		return carriedType{types.T(types.Text), "text"}, nil
	}
	oid, _ := strconv.ParseUint(rows[0][0], 10, 32)
	mod, _ := strconv.ParseInt(rows[0][1], 10, 32)
	typ, _ := carried(types.OID(oid), int32(mod))
	return carriedType{typ, rows[0][2]}, nil
}
