package cdc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pgx/v5/pgconn"
)

// A table's row filter is the publication's: the server evaluates it, so that an
// update into it is sent as an insert and one out of it as a delete. The
// snapshot's query has the same.

// published names the table as the publication has it.
func (t *tableState) published() string {
	if t.spec.Where == "" {
		return t.from()
	}
	return t.from() + " WHERE (" + t.spec.Where + ")"
}

// needFilter finds the filter that a table is to have, once it is known what
// the publication, if it is there, has.
func (d *Discovered) needFilter(t *tableState, cfg *Config, published string, recorded map[string]string) {
	where := t.spec.Where
	switch {
	case where == "":
		t.filter = published
	case d.Version < 150000:
		t.failed = &TableError{t.Schema, t.Name, pgerr.Unsupported(0, "WHERE on a table of PostgreSQL %d", d.Version/10000).
			WithHint("PostgreSQL has row filters from version 15 on. Filter in a view.")}
	case !d.PublicationExists || t.unpublished != nil:
		t.filter = "(" + where + ")"
	case published != "" && (recorded[t.spec.String()] == where || published == where || published == "("+where+")"):
		t.filter = published
	default:
		has := "has no row filter for it"
		if published != "" {
			has = "filters it WHERE " + published
		}
		t.failed = &TableError{t.Schema, t.Name, pgerr.Unsupported(0, "WHERE on table %s, which the existing publication %q does not filter so,", t.spec, cfg.PublicationName).
			WithDetail("The publication %s.", has).
			WithHint("Leave WHERE out to take what the publication has, or name one in the option publication_name that does not exist, for the source to make it.")}
	}
}

// filterRecord is what the comment on a publication of ours says of filters:
// the server's own text is another than the user's.
func filterRecord(tables []*tableState) string {
	m := map[string]string{}
	for _, t := range tables {
		if t.spec.Where != "" {
			m[t.spec.String()] = t.spec.Where
		}
	}
	return encodeFilters(m)
}

func encodeFilters(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings only
	}
	return "\n" + string(b)
}

// ownComment reports whether a publication's comment marks it as made for the
// slot, and the filters that it was made with, for whatever slot.
func ownComment(cfg *Config, comment string) (own bool, filters map[string]string) {
	mark, rest, _ := strings.Cut(comment, "\n")
	if !strings.HasPrefix(mark, publicationPrefix) || rest != "" && json.Unmarshal([]byte(rest), &filters) != nil {
		return false, nil
	}
	return mark == publicationMark(cfg), filters
}

// checkFilters judges the filters of a publication that is to be made.
func (d *Discovered) checkFilters(ctx context.Context, conn *pgconn.PgConn, cfg *Config) error {
	if d.PublicationExists || !d.canPub || cfg.SnapshotMode == SnapshotInitialOnly {
		return nil // or refused elsewhere
	}
	for _, t := range d.tables {
		if t.failed == nil && t.owned && t.spec.Where != "" {
			if err := t.checkFilter(ctx, conn, cfg); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFilter lets the server judge the table's filter, by a publication that is
// not committed. A filter by columns outside of the replica identity would make the
// server refuse updates and deletes of the table itself, so it is refused here.
func (t *tableState) checkFilter(ctx context.Context, conn *pgconn.PgConn, cfg *Config) error {
	_, err := query(ctx, conn, "BEGIN; CREATE PUBLICATION "+quoteIdent(cfg.PublicationName)+" FOR TABLE "+t.published()+" WITH (publish_via_partition_root = true)")
	var rows [][]string
	if err == nil {
		rows, err = query(ctx, conn, `SELECT d.refobjsubid, a.attname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
			JOIN pg_depend d ON d.classid = 'pg_publication_rel'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = r.prrelid AND d.refobjsubid > 0
			JOIN pg_attribute a ON a.attrelid = r.prrelid AND a.attnum = d.refobjsubid
			WHERE p.pubname = `+quoteLiteral(cfg.PublicationName))
	}
	if _, back := query(ctx, conn, "ROLLBACK"); err == nil {
		err = back
	}
	if err != nil {
		return &TableError{t.Schema, t.Name, asPgerr(err, "the filter of table "+t.spec.String())}
	}
	for _, r := range rows {
		inKey := slices.ContainsFunc(t.Key, func(k int) bool { return fmt.Sprint(t.columns[k].attnum) == r[0] })
		if t.identity != 'f' && !inKey {
			return &TableError{t.Schema, t.Name, pgerr.Newf(pgerr.InvalidColumnReference, "cannot filter table %s by column %q", t.spec, r[1]).
				WithDetail("Column used in the publication WHERE expression is not part of the replica identity.").
				WithHint("Run ALTER TABLE %s REPLICA IDENTITY FULL, or filter in a view.", t.spec)}
		}
	}
	return nil
}

// unsentValue is the error of a row that came into the filter by an update that
// left a TOASTed value alone: the server sends it as an insert without the value.
func (d *decoder) unsentValue(rel *relation, column int) error {
	t := rel.table
	return &valueError{pgerr.Newf(pgerr.FeatureNotSupported, "a row of table %s came to pass the row filter, and the source's server did not send its unchanged value of column %q", t.spec, t.columns[column].name).
		WithHint("Run ALTER TABLE %s REPLICA IDENTITY FULL, drop the source and create it again.", t.spec)}
}

// tablePosition puts the position of the table that an error is of on it.
func tablePosition(err error, positions map[string]int) error {
	var of *TableError
	if errors.As(err, &of) {
		return at(of.Err, positions[TableSpec{Schema: of.Schema, Name: of.Table}.String()])
	}
	return err
}
