package engine

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/helios-sql/helios-sql/sql/catalog"
)

// The catalogs of the server: database, roles, settings, sessions.
func init() {
	tableContents["pg_catalog.pg_database"] = databaseRows
	tableContents["pg_catalog.pg_authid"] = roleRows
	tableContents["pg_catalog.pg_roles"] = roleRows
	tableContents["pg_catalog.pg_user"] = userRows
	tableContents["pg_catalog.pg_shadow"] = userRows
	tableContents["pg_catalog.pg_tablespace"] = tablespaceRows
	tableContents["pg_catalog.pg_am"] = accessMethodRows
	tableContents["pg_catalog.pg_language"] = languageRows
	tableContents["pg_catalog.pg_collation"] = collationRows
	tableContents["pg_catalog.pg_settings"] = settingRows
	tableContents["pg_catalog.pg_stat_activity"] = activityRows
	tableContents["pg_catalog.pg_prepared_statements"] = preparedRows
	tableContents["pg_catalog.pg_stat_all_indexes"] = indexStatistics
	tableContents["pg_catalog.pg_stat_user_indexes"] = indexStatistics
	tableContents["pg_catalog.pg_stat_all_tables"] = tableStatistics(func(r *catalog.Relation) bool { return true })
	tableContents["pg_catalog.pg_stat_user_tables"] = tableStatistics(func(r *catalog.Relation) bool { return r.Kind != catalog.System })
	tableContents["pg_catalog.pg_stat_sys_tables"] = tableStatistics(func(r *catalog.Relation) bool { return r.Kind == catalog.System })
}

func databaseRows(s *Session, _ *readView, t *tuple) { t.text("datname", s.engine.opts.Database).end() }

// roleRows knows the one role that owns everything: the session's user.
func roleRows(s *Session, _ *readView, t *tuple) { t.text("rolname", s.user).end() }

func userRows(s *Session, _ *readView, t *tuple) { t.text("usename", s.user).end() }

func tablespaceRows(_ *Session, _ *readView, t *tuple) {
	t.int("oid", 1663).text("spcname", "pg_default").end()
	t.int("oid", 1664).text("spcname", "pg_global").end()
}

// accessMethodRows shows the two that relations and keys are shown with.
func accessMethodRows(_ *Session, _ *readView, t *tuple) {
	t.oid("oid", heapOID).text("amname", "heap").int("amhandler", 3).char("amtype", 't').end()
	t.oid("oid", btreeOID).text("amname", "btree").int("amhandler", 330).char("amtype", 'i').end()
}

func languageRows(_ *Session, _ *readView, t *tuple) {
	t.int("oid", 12).text("lanname", "internal").int("lanvalidator", 2246).end()
	t.int("oid", 14).text("lanname", "sql").bool("lanpltrusted", true).int("lanvalidator", 2248).end()
}

func collationRows(_ *Session, _ *readView, t *tuple) {
	t.oid("oid", defaultCollation).text("collname", "default").char("collprovider", 'd').end()
	for _, c := range []struct {
		oid  oid
		name string
	}{{cCollation, "C"}, {951, "POSIX"}} {
		t.oid("oid", c.oid).text("collname", c.name).char("collprovider", 'c').text("collcollate", c.name).text("collctype", c.name).end()
	}
}

func settingRows(s *Session, _ *readView, t *tuple) {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		st := settings[name]
		reset := st.def
		if v, ok := s.vars.defaults[name]; ok {
			reset = v
			t.text("source", "client")
		}
		if _, ok := s.vars.values[name]; ok {
			t.text("source", "session")
		}
		t.text("name", displayName(name)).text("setting", s.vars.must(name)).text("short_desc", st.help).
			text("category", "Customized Options").text("boot_val", st.def).text("reset_val", reset)
		switch _, err := strconv.Atoi(st.def); {
		case err == nil:
			t.text("vartype", "integer")
		case st.def == "on" || st.def == "off":
			t.text("vartype", "bool")
		}
		if st.readOnly {
			t.text("context", "internal")
		}
		t.end()
	}
}

// activityRows shows of other sessions only what does not change.
func activityRows(s *Session, _ *readView, t *tuple) {
	l := &s.engine.sessions
	l.mu.Lock()
	open := slices.SortedFunc(maps.Values(l.mu.open), func(a, b *Session) int { return cmp.Compare(a.id, b.id) })
	l.mu.Unlock()
	for _, o := range open {
		t.text("datname", s.engine.opts.Database).int("pid", int64(o.id)).text("usename", o.user).int("backend_start", micros(o.since))
		if o == s {
			t.text("application_name", s.vars.must("application_name")).text("state", "active")
		}
		t.end()
	}
}

func preparedRows(s *Session, _ *readView, t *tuple) {
	for _, name := range slices.Sorted(maps.Keys(s.statements)) {
		if name != "" {
			t.text("name", name).end()
		}
	}
}

// tableStatistics shows tables as they are before anything is counted.
func tableStatistics(which func(*catalog.Relation) bool) tableRows {
	return func(_ *Session, v *readView, t *tuple) {
		for _, r := range v.cat.Relations() {
			if k := relkind(r); which(r) && (k == 'r' || k == 'm') {
				t.oid("relid", oid(r.ID)).text("schemaname", r.Schema).text("relname", r.Name).end()
			}
		}
	}
}

// indexStatistics shows the indexes of primary keys in the same way.
func indexStatistics(_ *Session, v *readView, t *tuple) {
	withPrimaryKey(v.cat, func(r *catalog.Relation) {
		t.oid("relid", oid(r.ID)).oid("indexrelid", indexOID(r)).text("schemaname", r.Schema).text("relname", r.Name).
			text("indexrelname", pkeyName(r)).end()
	})
}
