package engine

import (
	"slices"
	"strconv"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/types"
)

// The catalogs of relations and what belongs to them.
func init() {
	tableContents["pg_catalog.pg_namespace"] = namespaceRows
	tableContents["pg_catalog.pg_class"] = classRows
	tableContents["pg_catalog.pg_attribute"] = attributeRows
	tableContents["pg_catalog.pg_attrdef"] = attrdefRows
	tableContents["pg_catalog.pg_index"] = indexRows
	tableContents["pg_catalog.pg_indexes"] = indexesRows
	tableContents["pg_catalog.pg_constraint"] = constraintRows
	tableContents["pg_catalog.pg_rewrite"] = rewriteRows
	tableContents["pg_catalog.pg_depend"] = dependRows
	tableContents["pg_catalog.pg_tables"] = tablesRows
	tableContents["pg_catalog.pg_views"] = viewsRows
	tableContents["pg_catalog.pg_matviews"] = matviewsRows
}

func namespaceRows(_ *Session, v *readView, t *tuple) {
	for _, s := range schemas(v.cat) {
		t.oid("oid", s.oid).text("nspname", s.name).end()
	}
}

func classRows(_ *Session, v *readView, t *tuple) {
	oids := schemaOIDs(v.cat)
	for _, r := range v.cat.Relations() {
		kind := relkind(r)
		t.oid("oid", oid(r.ID)).text("relname", r.Name).oid("relnamespace", oids[r.Schema]).char("relkind", kind).
			int("relnatts", int64(len(r.Columns))).bool("relhasindex", hasPrimaryKey(r)).bool("relhasrules", kind == 'v')
		switch kind {
		case 'r', 'm':
			t.oid("relam", heapOID)
			if r.Kind != catalog.System {
				t.char("relreplident", 'd')
			}
		}
		t.end()
		if hasPrimaryKey(r) {
			t.oid("oid", indexOID(r)).text("relname", pkeyName(r)).oid("relnamespace", oids[r.Schema]).char("relkind", 'i').
				int("relnatts", int64(len(r.Key))).oid("relam", btreeOID).end()
		}
	}
}

func attributeRows(_ *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		for i, c := range r.Columns {
			attribute(t, oid(r.ID), i, c)
			t.bool("attnotnull", c.NotNull).bool("atthasdef", columnDefault(r, i) != "").end()
		}
		if hasPrimaryKey(r) {
			for i, k := range r.Key {
				attribute(t, indexOID(r), i, r.Columns[k])
				t.end()
			}
		}
	}
}

func attribute(t *tuple, rel oid, i int, c types.Column) {
	f := typeFactOf(c.Type.OID)
	t.oid("attrelid", rel).text("attname", c.Name).oid("atttypid", oid(c.Type.OID)).int("atttypmod", int64(c.Type.Mod)).
		int("attnum", int64(i+1)).int("attlen", f.len).bool("attbyval", f.byVal).char("attalign", f.align).char("attstorage", f.storage).
		oid("attcollation", f.collation)
	if c.Type.OID.Elem() != 0 {
		t.int("attndims", 1)
	}
}

func attrdefRows(_ *Session, v *readView, t *tuple) {
	n := int64(0)
	for _, r := range v.cat.Relations() {
		for i := range r.Columns {
			if def := columnDefault(r, i); def != "" {
				t.int("oid", int64(defaultRange)+n).oid("adrelid", oid(r.ID)).int("adnum", int64(i+1)).text("adbin", def).end()
				n++
			}
		}
	}
}

// withPrimaryKey calls f for every relation whose key is a constraint.
func withPrimaryKey(cat *catalog.Snapshot, f func(*catalog.Relation)) {
	for _, r := range cat.Relations() {
		if hasPrimaryKey(r) {
			f(r)
		}
	}
}

// keyNumbers are the attnums of the primary key's columns.
func keyNumbers(r *catalog.Relation) []int {
	out := make([]int, len(r.Key))
	for i, k := range r.Key {
		out[i] = k + 1
	}
	return out
}

func indexRows(_ *Session, v *readView, t *tuple) {
	withPrimaryKey(v.cat, func(r *catalog.Relation) {
		var collations, classes []oid
		for _, k := range r.Key {
			f := typeFactOf(r.Columns[k].Type.OID)
			collations, classes = append(collations, f.collation), append(classes, operatorClassOf(f))
		}
		n := int64(len(r.Key))
		t.oid("indexrelid", indexOID(r)).oid("indrelid", oid(r.ID)).int("indnatts", n).int("indnkeyatts", n).
			text("indkey", vector(keyNumbers(r))).text("indcollation", vector(collations)).text("indclass", vector(classes)).
			text("indoption", vector(make([]int, n))).end()
	})
}

func indexesRows(_ *Session, v *readView, t *tuple) {
	withPrimaryKey(v.cat, func(r *catalog.Relation) {
		t.text("schemaname", r.Schema).text("tablename", r.Name).text("indexname", pkeyName(r)).text("indexdef", indexDefinition(r)).end()
	})
}

func constraintRows(_ *Session, v *readView, t *tuple) {
	oids := schemaOIDs(v.cat)
	withPrimaryKey(v.cat, func(r *catalog.Relation) {
		var key []string
		for _, n := range keyNumbers(r) {
			key = append(key, strconv.Itoa(n))
		}
		t.oid("oid", pkeyOID(r)).text("conname", pkeyName(r)).oid("connamespace", oids[r.Schema]).oid("conrelid", oid(r.ID)).
			oid("conindid", indexOID(r)).bool("connoinherit", true).array("conkey", ",", key).end()
	})
}

func rewriteRows(_ *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		if r.Kind == catalog.View || r.Kind == catalog.MaterializedView {
			t.oid("oid", ruleOID(r)).oid("ev_class", oid(r.ID)).text("ev_action", viewDefinition(r)).end()
		}
	}
}

// dependRows shows what views read, whole relations, and primary keys.
func dependRows(_ *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		if r.Kind == catalog.View || r.Kind == catalog.MaterializedView {
			on := func(id catalog.ID, kind byte) {
				t.oid("classid", rewriteOID).oid("objid", ruleOID(r)).oid("refclassid", classOID).oid("refobjid", oid(id)).char("deptype", kind).end()
			}
			on(r.ID, 'i')
			on(r.ID, 'n')
			deps := slices.Clone(r.Deps)
			slices.Sort(deps)
			for _, d := range slices.Compact(deps) {
				on(d, 'n')
			}
		}
		if hasPrimaryKey(r) {
			t.oid("classid", classOID).oid("objid", indexOID(r)).oid("refclassid", constraintOID).oid("refobjid", pkeyOID(r)).char("deptype", 'i').end()
			for _, n := range keyNumbers(r) {
				t.oid("classid", constraintOID).oid("objid", pkeyOID(r)).oid("refclassid", classOID).oid("refobjid", oid(r.ID)).
					int("refobjsubid", int64(n)).char("deptype", 'a').end()
			}
		}
	}
}

func tablesRows(s *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		if relkind(r) == 'r' {
			t.text("schemaname", r.Schema).text("tablename", r.Name).text("tableowner", s.user).bool("hasindexes", hasPrimaryKey(r)).end()
		}
	}
}

func viewsRows(s *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		if relkind(r) == 'v' {
			t.text("schemaname", r.Schema).text("viewname", r.Name).text("viewowner", s.user)
			if r.Query != "" {
				t.text("definition", viewDefinition(r))
			}
			t.end()
		}
	}
}

func matviewsRows(s *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		if relkind(r) == 'm' {
			t.text("schemaname", r.Schema).text("matviewname", r.Name).text("matviewowner", s.user).text("definition", viewDefinition(r)).end()
		}
	}
}
