// Package engine is the tick loop, the only writer of state, and what hangs
// on it: sources, DDL, hydration of new views, recovery, and the sessions of
// clients.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/circuit"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/state"
)

// Options configure an engine.
type Options struct {
	Store      *state.Store
	Connectors map[string]connectors.Connector // by the name after FROM
	Logger     *slog.Logger
	// CheckpointInterval is the longest time between syncs while there is something to sync.
	CheckpointInterval time.Duration
	// TickMaxRows and TickMaxBytes bound what one tick takes from the queue. A
	// single transaction, or a step of a large one, is never split further.
	TickMaxRows, TickMaxBytes int
	// RecordMaxBytes bounds what a new view may miss while it is hydrated.
	RecordMaxBytes int
	// Database is the name that clients connect to.
	Database string
}

// An Engine runs everything over one store.
type Engine struct {
	opts   Options
	log    *slog.Logger
	store  *state.Store
	system *systemRelations
	ticker *Ticker
	start  time.Time

	// ddl holds a token through every statement that changes the catalog, and
	// until the sources of the catalog that is found run.
	ddl chan struct{}

	sources struct {
		sync.Mutex
		byID     map[catalog.ID]*sourceRunner
		altering map[catalog.ID]*alteration
	}
	stale      chan struct{} // told when a table becomes stale
	hydrations progressList
	sessions   sessionList
	scripts    atomic.Int32 // running

	// The goroutines of Run and of what outlives a statement. ctx gives their
	// context, which ends when Run shall end.
	group *errgroup.Group
	ctx   func() context.Context
	stop  context.CancelFunc

	metrics Metrics
}

// Metrics are the engine's counters, read by the metrics endpoint.
type Metrics struct {
	Ticks, Transactions, Changes atomic.Int64
	TickNanos                    atomic.Int64 // total time spent in ticks
	Syncs                        atomic.Int64
	Statements, Errors           atomic.Int64
}

// New opens the engine over its store: the catalog is read and every view's
// circuit is built. It returns once the last committed state can be read.
func New(opts Options) (*Engine, error) {
	if opts.CheckpointInterval <= 0 {
		opts.CheckpointInterval = time.Second
	}
	if opts.TickMaxRows <= 0 {
		opts.TickMaxRows = 8_000
	}
	if opts.TickMaxBytes <= 0 {
		opts.TickMaxBytes = 16 << 20
	}
	if opts.RecordMaxBytes <= 0 {
		opts.RecordMaxBytes = 512 << 20
	}
	if opts.Database == "" {
		opts.Database = "helios"
	}
	e := &Engine{opts: opts, log: opts.Logger, store: opts.Store, start: time.Now(),
		ddl: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(context.Background())
	e.group, ctx = errgroup.WithContext(ctx)
	e.ctx, e.stop = func() context.Context { return ctx }, stop
	e.system = newSystemRelations(e)
	e.sources.byID, e.sources.altering = map[catalog.ID]*sourceRunner{}, map[catalog.ID]*alteration{}
	e.stale = make(chan struct{}, 1)
	e.sessions.init()
	cat, err := e.loadCatalog()
	if err != nil {
		return nil, err
	}
	e.ticker = newTicker(e, cat)
	if err := e.recover(); err != nil {
		return nil, err
	}
	e.ddl <- struct{}{}
	return e, nil
}

// failedGrace is how long a failed store's users have to end in order.
const failedGrace = 5 * time.Second

// Run runs the tick loop and the sources until ctx ends, then makes what is
// committed durable. It returns nil on an orderly end.
func (e *Engine) Run(parent context.Context) error {
	defer context.AfterFunc(parent, e.stop)()
	defer e.stop()
	g, ctx := e.group, e.ctx()
	g.Go(func() error { return e.ticker.run(ctx) })
	g.Go(func() error { return e.syncLoop(ctx) })
	g.Go(func() error { return e.refreshLoop(ctx) })
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.store.Failed():
			return e.store.Err()
		}
	})
	for _, s := range e.Catalog().Sources() {
		e.startSource(s, false)
		e.resumeCopying(s)
	}
	<-e.ddl
	ended := make(chan error, 1)
	go func() { ended <- g.Wait() }()
	var err error
	select {
	case err = <-ended:
	case <-e.store.Failed():
		select {
		case err = <-ended:
		case <-time.After(failedGrace): // the tick loop hangs in the store
			return e.store.Err()
		}
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	if e.ticker.failed == nil {
		err = errors.Join(err, e.ticker.syncTo(e.ticker.committed.Load().tick))
	}
	return err
}

// Close gives back what the engine holds of the store, after Run has ended
// and all sessions are closed.
func (e *Engine) Close() error {
	t := e.ticker
	t.pub.Lock()
	defer t.pub.Unlock()
	if t.pub.view != nil {
		t.pub.view.release()
		t.pub.view = nil
	}
	return t.txn.Close()
}

// goRun starts a goroutine that Run waits for. It must end with the context.
func (e *Engine) goRun(f func(ctx context.Context)) {
	e.group.Go(func() error { f(e.ctx()); return nil })
}

// Catalog gives the catalog as of the last published tick.
func (e *Engine) Catalog() *catalog.Snapshot {
	v := e.ticker.acquire()
	defer v.release()
	return v.cat
}

// Ready reports whether every source's initial snapshot is in and no view is
// being hydrated at start.
func (e *Engine) Ready() bool {
	if e.scripts.Load() > 0 {
		return false
	}
	for _, s := range e.Catalog().Sources() {
		if !s.Snapshotted {
			return false
		}
	}
	return true
}

// loadCatalog reads the durable catalog; an empty store has an empty one.
func (e *Engine) loadCatalog() (*catalog.Snapshot, error) {
	data, ok, err := e.store.Meta(catalogKey)
	if err != nil {
		return nil, fmt.Errorf("reading the catalog: %w", err)
	}
	if !ok {
		return catalog.New(e.system.relations()), nil
	}
	cat, err := catalog.Decode(data, e.system.relations())
	if err != nil {
		return nil, pgerr.Newf(pgerr.DataCorrupted, "%w", err)
	}
	return cat, nil
}

// catalogKey is where the catalog lies in the store's metadata.
const catalogKey = "catalog"

// saveCatalog adds the catalog to the transaction.
func saveCatalog(txn *state.Txn, cat *catalog.Snapshot) error {
	data, err := cat.Encode()
	if err != nil {
		return fmt.Errorf("encoding the catalog: %w", err)
	}
	txn.SetMeta(catalogKey, data)
	return nil
}

// Openers of arrangements for circuits.
var (
	_ circuit.Opener = txnOpener{}
	_ circuit.Opener = snapshotOpener{}
)
