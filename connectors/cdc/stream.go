package cdc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pgx/v5/pgconn"
)

// A stream is one replication session. One goroutine reads, decodes and
// delivers, and waits in the sink when that is behind; another tells the
// server what is confirmed and answers it meanwhile.
type stream struct {
	*run
	f   *frames
	dec *decoder

	ask      chan struct{} // the server wants a status now
	silence  time.Duration // after which the connection counts as lost
	lsn      uint64        // highest in the stream
	lastTold time.Time     // when Progress was last called
}

func (r *run) stream(ctx context.Context) error {
	conn, err := r.held, error(nil)
	if r.held = nil; conn == nil {
		if conn, err = connect(ctx, &r.cfg, true); err != nil {
			return err
		}
	}
	var timeout [][]string
	err = watched(ctx, &r.cfg, conn.PID(), nil, func(ctx context.Context) (err error) {
		if timeout, err = query(ctx, conn, "SHOW wal_sender_timeout"); err != nil {
			return asPgerr(err, "reading the source's settings")
		}
		return identify(ctx, conn, &r.cfg, &r.asm.at)
	})
	if err == nil {
		err = r.keepOrigin(ctx)
	}
	if err != nil {
		conn.Close(context.WithoutCancel(ctx))
		return err
	}
	f, err := takeOver(conn)
	if err != nil {
		return err
	}
	f.detach()
	defer f.close()
	all := ctx // of the run: what has committed is handed on though the connection is lost
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := f.interruptible(ctx)
	defer stop()
	s := &stream{run: r, f: f, ask: make(chan struct{}, 1)}
	serverTimeout, err := parseDuration(timeout[0][0])
	if err != nil || serverTimeout <= 0 {
		serverTimeout = time.Minute
	}
	if s.silence = r.cfg.KeepaliveTimeout; s.silence == 0 {
		s.silence = 2 * serverTimeout
	}
	spool := newSpool(&r.cfg, r.spoolFile, func() error { return context.Cause(all) }, &r.m)
	defer spool.close()
	s.dec = newDecoder(r.decoded(), r.asm, spool)
	s.dec.note = func(msg string, t *tableState, name string) {
		r.log.Info(msg, "table", t.spec.String(), "name", name)
	}
	var side *pgconn.PgConn
	defer func() {
		if side != nil {
			side.Close(context.WithoutCancel(ctx))
		}
	}()
	aside := func(f func(*pgconn.PgConn) error) (err error) {
		if side == nil {
			if side, err = connect(ctx, &r.cfg, false); err != nil {
				side = nil
				return &lostError{err}
			}
		}
		return f(side)
	}
	s.dec.verify = func(t *tableState) error {
		return aside(func(conn *pgconn.PgConn) error { return t.verify(ctx, conn) })
	}
	messages := ""
	if r.cfg.events {
		messages = ", messages 'true'"
		s.dec.follow = &follower{asm: r.asm, known: map[upstreamType]carriedType{}}
		s.dec.follow.resolve = func(t upstreamType) (c carriedType, err error) {
			err = aside(func(conn *pgconn.PgConn) error {
				c, err = resolveType(ctx, conn, t)
				return err
			})
			return c, err
		}
	}
	streaming := ", streaming 'on'"
	if r.whole {
		streaming = ""
	}
	sql := fmt.Sprintf("START_REPLICATION SLOT %s LOGICAL %s (proto_version '2', publication_names %s%s%s)",
		r.cfg.SlotName, r.asm.at.LSN, quoteLiteral(quoteIdent(r.cfg.PublicationName)), streaming, messages)
	if err := f.conn.SetReadDeadline(time.Now().Add(s.silence)); err != nil {
		return &lostError{err}
	}
	if err := f.startCopy(sql, 'W'); err != nil {
		err = asPgerr(err, "starting replication")
		if code := pgerr.CodeOf(err); code == pgerr.UndefinedObject || code == pgerr.ObjectNotInPrerequisite {
			return &lostError{err} // the slot was there a moment ago: what has become of it, checkSlot says
		}
		return err
	}
	if err := s.noDeadline(ctx); err != nil {
		return err
	}
	r.sink.Status("streaming", nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.feedback(ctx, min(serverTimeout/3, s.silence/3)); err != nil {
			cancel(err)
		}
	})
	if sink, ok := r.sink.(connectors.TableRefresher); ok {
		parted := slices.DeleteFunc(slices.Clone(r.tables[:len(r.tables)-r.adding]), func(t *tableState) bool { return t.leaves == nil || t.failed != nil })
		if len(parted) > 0 {
			wg.Go(func() {
				if err := s.watchLeaves(ctx, sink, parted); err != nil {
					cancel(err)
				}
			})
		}
	}
	if r.cfg.HeartbeatInterval > 0 {
		wg.Go(func() { r.heartbeat(ctx) })
	}
	err = s.receive(ctx)
	r.whole = errors.Is(err, errNotTold) || spool.full || serverFault(err)
	cancel(err)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// receive takes messages off the socket until an error.
func (s *stream) receive(ctx context.Context) error {
	for {
		if !s.f.buffered() {
			if err := s.asm.pass(); err != nil {
				return err
			}
			if err := s.caughtUp(ctx); err != nil {
				return err
			}
			// Who got something goes on in this thread, which is awake, and need not
			// wait until another one is.
			runtime.Gosched()
		}
		typ, body, err := s.f.next()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
				// Time to pass progress on, unless a transaction has overtaken it.
				if err := s.noDeadline(ctx); err != nil {
					return err
				}
				continue
			}
			return &lostError{err}
		}
		switch typ {
		case 'd':
			if err := s.copyData(body); err != nil {
				return err
			}
		case 'E':
			return asPgerr(serverError(body), "reading from the replication slot")
		case 'c', 'C', 'Z': // a server that shuts down ends the command
			return &lostError{errors.New("the server ended replication")}
		case 'N', 'S':
		default:
			return pgerr.Newf(pgerr.ProtocolViolation, "unexpected message of type %q", typ)
		}
	}
}

func (s *stream) copyData(body []byte) error {
	if len(body) == 0 {
		return pgerr.Newf(pgerr.ProtocolViolation, "empty replication message")
	}
	switch body[0] {
	case 'w':
		if len(body) < 26 {
			return pgerr.Newf(pgerr.ProtocolViolation, "XLogData of %d bytes", len(body))
		}
		lsn := binary.BigEndian.Uint64(body[1:])
		s.lsn = max(s.lsn, lsn)
		s.dec.lsn = connectors.LSN(lsn)
		if err := s.dec.decode(body[25:]); err != nil {
			var se *sinkError
			if errors.As(err, &se) || errors.Is(err, context.Canceled) {
				return err
			}
			return fmt.Errorf("at %s: %w", s.dec.lsn, err)
		}
	case 'k':
		if len(body) < 18 {
			return pgerr.Newf(pgerr.ProtocolViolation, "keepalive of %d bytes", len(body))
		}
		end := connectors.LSN(binary.BigEndian.Uint64(body[1:]))
		s.lsn = max(s.lsn, uint64(end))
		s.m.serverEnd.Store(uint64(end))
		// What committed up to the server's end of log is delivered by now:
		// this goroutine delivers before it reads on. In the middle of a
		// transaction that end lies within it, and says nothing.
		//
		// Streamed transactions that are open do not hold it back, nor do they
		// with PostgreSQL's own subscriber, whose files of them are lost in a crash
		// like ours. They commit later, so behind that end, and the server sends again, whole, each
		// transaction whose commit lies behind what is confirmed: its
		// restart_lsn stays before the first record of the oldest that is open.
		if !s.asm.open && s.asm.at.Step == 0 && end > s.asm.at.LSN {
			s.asm.progress = end
		}
		if body[17] == 1 {
			select {
			case s.ask <- struct{}{}:
			default:
			}
		}
	default:
		return pgerr.Newf(pgerr.ProtocolViolation, "unknown replication message 0x%02x", body[0])
	}
	return nil
}

// caughtUp runs when nothing more is buffered: progress without changes is
// passed on, at most every PollInterval, or left for when the read times out.
func (s *stream) caughtUp(ctx context.Context) error {
	s.m.received.Store(s.lsn)
	if s.asm.progress == 0 || s.asm.open {
		return nil
	}
	if since := time.Since(s.lastTold); since < s.cfg.PollInterval {
		if err := s.f.conn.SetReadDeadline(time.Now().Add(s.cfg.PollInterval - since)); err != nil {
			return &lostError{err}
		}
		return context.Cause(ctx)
	}
	if err := s.asm.passProgress(); err != nil {
		return err
	}
	s.lastTold = time.Now()
	return s.noDeadline(ctx)
}

// noDeadline lets reads wait for ever, unless ctx has ended: the deadline
// taken away may have been the one that says so.
func (s *stream) noDeadline(ctx context.Context) error {
	if err := s.f.conn.SetReadDeadline(time.Time{}); err != nil {
		return &lostError{err}
	}
	return context.Cause(ctx)
}

// feedback writes standby status updates: soon after a confirmation, when the
// server asks, and every interval. It ends the session when the server is
// silent for too long.
func (s *stream) feedback(ctx context.Context, interval time.Duration) error {
	interval = max(interval, 10*time.Millisecond)
	tick := time.NewTicker(min(s.cfg.CheckpointInterval, interval))
	defer tick.Stop()
	var told uint64
	var toldAt time.Time
	reads, readAt := s.f.reads.Load(), time.Now()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return nil
		case <-s.ask:
			asked = true
		case <-tick.C:
		}
		if n := s.f.reads.Load(); n != reads || s.m.inSink.Load() || s.m.replaying.Load() {
			// The server is not silent where we do not listen.
			reads, readAt = n, time.Now()
		}
		quiet := time.Since(readAt)
		if quiet > s.silence {
			return &lostError{fmt.Errorf("no sign of life from the server for %v", quiet.Round(time.Millisecond))}
		}
		confirmed := s.confirmed.Load()
		if !asked && confirmed == told && time.Since(toldAt) < interval {
			continue
		}
		if err := s.status(confirmed, quiet > interval); err != nil {
			return &lostError{err}
		}
		told, toldAt = confirmed, time.Now()
	}
}

// status writes one standby status update: received as written, confirmed as
// flushed and applied.
func (s *stream) status(confirmed uint64, reply bool) error {
	var b [39]byte
	b[0] = 'd'
	binary.BigEndian.PutUint32(b[1:], 38)
	b[5] = 'r'
	binary.BigEndian.PutUint64(b[6:], max(s.m.received.Load(), confirmed))
	binary.BigEndian.PutUint64(b[14:], confirmed)
	binary.BigEndian.PutUint64(b[22:], confirmed)
	binary.BigEndian.PutUint64(b[30:], uint64(time.Since(pgEpoch).Microseconds()))
	if reply {
		b[38] = 1
	}
	_, err := s.f.conn.Write(b[:])
	return err
}
