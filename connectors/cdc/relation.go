package cdc

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A wireColumn is a column as a Relation message announces it.
type wireColumn struct {
	name string
	oid  uint32
	mod  int32
	key  bool
}

// relation takes a Relation message: it comes before a table's first change in
// a session and again after each change of its definition.
func (d *decoder) relation(body []byte) error {
	cut := func() error { return corrupt("Relation cut short") }
	if len(body) < 4 {
		return cut()
	}
	oid := binary.BigEndian.Uint32(body)
	schema, body, ok := cString(body[4:])
	if !ok {
		return cut()
	}
	name, body, ok := cString(body)
	if !ok || len(body) < 3 {
		return cut()
	}
	identity := body[0]
	cols := make([]wireColumn, binary.BigEndian.Uint16(body[1:]))
	body = body[3:]
	for i := range cols {
		if len(body) < 1 {
			return cut()
		}
		c := &cols[i]
		c.key = body[0]&1 != 0
		if c.name, body, ok = cString(body[1:]); !ok || len(body) < 8 {
			return cut()
		}
		c.oid, c.mod = binary.BigEndian.Uint32(body), int32(binary.BigEndian.Uint32(body[4:]))
		body = body[8:]
	}
	if len(body) != 0 {
		return corrupt("Relation %q with %d bytes too many", name, len(body))
	}
	rel := &relation{table: d.tables[oid], ncols: len(cols), types: make([]types.Type, len(cols)), notNull: make([]bool, len(cols))}
	d.relations[oid] = rel
	d.last.rel = nil
	t := rel.table
	if t == nil || t.failed != nil {
		rel.skip = true
		return nil
	}
	if d.follow != nil {
		return d.follow.relation(rel, schema, name, cols, identity)
	}
	if name != t.Name {
		d.note("captured table was renamed upstream; it is followed by its OID", t, name)
	}
	err := d.match(rel, cols, identity)
	if err == nil {
		// A column that was dropped and added again may look the same here;
		// the server's catalog tells, which is at least as new.
		var lost *lostError
		if err = d.verify(t); errors.As(err, &lost) {
			return err
		}
	}
	if err != nil {
		d.fail(t, err)
		rel.skip = true
	}
	return nil
}

// match finds the captured columns among the announced ones, in the table's
// order, and checks that they are still the same.
func (d *decoder) match(rel *relation, cols []wireColumn, identity byte) error {
	t := rel.table
	next := 0
	var key []int
	for i, c := range cols {
		if next == len(t.columns) || c.name != t.columns[next].name {
			if slices.ContainsFunc(t.columns[next:], func(k column) bool { return k.name == c.name }) {
				// A later captured column where an earlier one should be.
				return t.changed(cols, next)
			}
			if !t.extras[c.name] {
				if t.extras == nil {
					t.extras = map[string]bool{}
				}
				t.extras[c.name] = true
				d.note("column that is not captured is ignored", t, c.name)
			}
			if c.key && (identity == 'd' || identity == 'i') {
				return t.identityChanged("column " + quoteIdent(c.name) + ", which is not captured, became part of it")
			}
			continue
		}
		k := &t.columns[next]
		if c.oid != k.upOID || c.mod != k.upMod {
			e := pgerr.Newf(pgerr.DatatypeMismatch, "the type of column %q of table %s was changed upstream (it was %s)", k.name, t.spec, k.typeName)
			return e.WithHint("Drop the source and create it again to capture the table with its new definition.")
		}
		rel.types[i], rel.notNull[i] = k.typ, k.notNull
		if c.key {
			key = append(key, next)
		}
		next++
	}
	if next < len(t.columns) {
		return t.changed(cols, next)
	}
	switch {
	case identity == 'f': // the whole old row serves any key
	case len(t.Key) == 0:
		return t.identityChanged("it was FULL, and there is no key to find old rows by")
	case identity != 'n' && !slices.Equal(key, t.Key):
		// Under NOTHING the server refuses updates and deletes itself.
		return t.identityChanged("its key columns are others")
	}
	return nil
}

// changed is the error of a captured column that is no longer where it was.
func (t *tableState) changed(cols []wireColumn, missing int) error {
	name := t.columns[missing].name
	what := "was dropped or renamed upstream"
	if slices.ContainsFunc(cols, func(c wireColumn) bool { return c.name == name }) {
		what = "was dropped and added again upstream"
	}
	return pgerr.Newf(pgerr.UndefinedColumn, "column %q of table %s %s", name, t.spec, what).
		WithHint("Drop the source and create it again to capture the table with its new definition.")
}

func (t *tableState) identityChanged(why string) error {
	e := pgerr.Newf(pgerr.ObjectNotInPrerequisite, "the replica identity of table %s was changed upstream: %s", t.spec, why)
	return e.WithHint("Drop the source and create it again, or set the replica identity back before the table is changed.")
}
