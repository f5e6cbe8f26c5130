package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A table is stale when rows of it have come or gone upstream that its source
// was not sent. It is refreshed as ALTER SOURCE … REFRESH TABLE does it: until then
// it follows its changes and can be read, and then it becomes right by one change.
// A table that becomes stale while it is copied is found so by its source behind the copy.

var _ connectors.TableRefresher = (*sourceRunner)(nil)

// TableStale notes in the catalog that a table is to be copied anew.
func (r *sourceRunner) TableStale(ctx context.Context, table int, why error) error {
	id, ok := r.relation(table)
	rel := r.engine.Catalog().Relation(id)
	if !ok || rel == nil {
		return nil
	}
	name := staleName(rel)
	err := r.engine.changeStale(ctx, r.id, func(stale map[string]int) { stale[name]++ })
	if err != nil {
		return err
	}
	r.engine.log.Warn("a table is stale and is copied anew", "source", r.name, "relation", rel.Name, "reason", why)
	select {
	case r.engine.stale <- struct{}{}:
	default: // it is told already
	}
	return nil
}

// staleName is what a captured table goes by among the stale ones.
func staleName(rel *catalog.Relation) string { return quoteTable(rel.UpstreamSchema, rel.UpstreamName) }

// changeStale changes which tables of a source are stale.
func (e *Engine) changeStale(ctx context.Context, id catalog.ID, f func(map[string]int)) error {
	t := e.ticker
	return t.doNow(ctx, func() error {
		was := t.cat.Source(id)
		if was == nil {
			return nil
		}
		src := *was
		if src.Stale = maps.Clone(was.Stale); src.Stale == nil {
			src.Stale = map[string]int{}
		}
		f(src.Stale)
		cat, err := t.cat.WithSource(&src)
		if err != nil {
			return err
		}
		return t.commitCatalog(cat)
	})
}

// refreshLoop refreshes stale tables, one at a time.
func (e *Engine) refreshLoop(ctx context.Context) error {
	const least, most = time.Second, time.Minute
	for wait := least; ; {
		var again <-chan time.Time
		for _, src := range e.Catalog().Sources() {
			for _, name := range slices.Sorted(maps.Keys(src.Stale)) {
				err := e.refreshStale(ctx, src.ID, name, src.Stale[name])
				if ctx.Err() != nil {
					return nil
				}
				if err != nil && again == nil {
					e.log.Warn("refreshing a stale table; it is tried again", "source", src.Name, "table", name, "error", err, "retry_in", wait)
					again = time.After(wait)
				}
			}
		}
		if wait = min(2*wait, most); again == nil {
			wait = least
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.stale:
		case <-again:
		}
	}
}

// refreshStale refreshes a table that was found stale so many times. A table
// that cannot be refreshed stops.
func (e *Engine) refreshStale(ctx context.Context, id catalog.ID, name string, times int) error {
	cat := e.Catalog()
	src := cat.Source(id)
	if src == nil || src.Dropping {
		return nil
	}
	var rel *catalog.Relation
	for _, r := range cat.Relations() {
		if r.Source == id && staleName(r) == name {
			rel = r
		}
	}
	if rel != nil && rel.Error == nil {
		err := e.refreshRelation(ctx, src.Name, rel)
		switch {
		case err != nil && (ctx.Err() != nil || mayMend(err)):
			return err
		case err != nil:
			if err := e.stopTable(ctx, rel.ID, err); err != nil {
				return err
			}
			e.log.Error("table stopped: it is stale and cannot be refreshed", "source", src.Name, "relation", rel.Name, "error", err)
		}
	}
	return e.changeStale(ctx, id, func(stale map[string]int) {
		if stale[name] == times {
			delete(stale, name)
		}
	})
}

// mayMend reports whether a refresh may succeed later: the server is away, the
// source is being altered or has stopped, the statement was canceled, or there is no room.
func mayMend(err error) bool {
	switch pgerr.CodeOf(err) {
	case pgerr.ObjectInUse, pgerr.ObjectNotInPrerequisite:
		return true
	}
	return passes(err)
}

// passes reports whether what failed may succeed later by itself: the server is
// away, or there is no room, here or there.
func passes(err error) bool {
	code := pgerr.CodeOf(err)
	switch code {
	case pgerr.DiskFull, pgerr.TooManyConnections, pgerr.ConfigurationLimitExceeded:
		return true
	}
	return len(code) == 5 && (code[:2] == "08" || code[:2] == "57" || code[:2] == "40")
}

// refreshRelation refreshes a captured table.
func (e *Engine) refreshRelation(ctx context.Context, source string, rel *catalog.Relation) error {
	unlock, err := e.lockDDL(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	src, err := e.alterable(source, 0)
	if err != nil {
		return err
	}
	index := src.index(rel.UpstreamSchema, rel.UpstreamName)
	if rel = e.Catalog().Relation(rel.ID); rel == nil || index < 0 {
		return nil // dropped meanwhile
	}
	return e.refreshSourceTable(ctx, unlock, src, rel, index, 0)
}
