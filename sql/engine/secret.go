package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

func (s *Session) createSecret(ctx context.Context, st *ast.CreateSecret, out *result) error {
	unlock, err := s.engine.lockDDL(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if len(st.Name) != 1 {
		return pgerr.Newf(pgerr.InvalidName, "a secret has no schema").At(int(st.Pos))
	}
	next := &catalog.Secret{Name: st.Name[0], Value: st.Value}
	have := s.engine.Catalog().Secret(next.Name)
	switch {
	case have == nil:
	case st.IfNotExists:
		return out.notice(exists("secret", next.Name))
	case !st.OrReplace:
		return pgerr.Newf(pgerr.DuplicateObject, "secret %q already exists", next.Name)
	default:
		next.ID = have.ID
	}
	return s.engine.changeCatalog(ctx, func(c *catalog.Snapshot) (*catalog.Snapshot, error) {
		if next.ID == 0 {
			next.ID, c = c.Allocate()
		}
		return c.WithSecret(next), nil
	})
}

func (s *Session) dropSecret(ctx context.Context, name []string, pos int, st *ast.Drop, out *result) error {
	if st.Cascade {
		return pgerr.Unsupported(int(st.Pos), "DROP SECRET CASCADE")
	}
	cat := s.engine.Catalog()
	last := name[len(name)-1]
	if len(name) != 1 || cat.Secret(last) == nil {
		if st.IfExists {
			return out.notice(skipping("secret", last))
		}
		return pgerr.Newf(pgerr.UndefinedObject, "secret %q does not exist", last).At(pos)
	}
	users, err := secretUsers(cat, last)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		err := pgerr.Newf(pgerr.DependentObjectsStillExist, "cannot drop secret %s because other objects depend on it", last)
		for i, user := range users {
			users[i] = fmt.Sprintf("source %s depends on secret %s", user, last)
		}
		return err.WithDetail("%s", strings.Join(users, "\n"))
	}
	return s.engine.changeCatalog(ctx, func(c *catalog.Snapshot) (*catalog.Snapshot, error) { return c.WithoutSecret(last), nil })
}

// secretUsers names the sources that need a secret, those that are being
// dropped among them: they connect once more.
func secretUsers(cat *catalog.Snapshot, name string) (users []string, err error) {
	for _, src := range cat.Sources() {
		var def connectors.Definition
		if err := json.Unmarshal(src.Config, &def); err != nil {
			return nil, fmt.Errorf("reading the definition of source %q: %w", src.Name, err)
		}
		if slices.Contains(def.Secrets, name) {
			users = append(users, src.Name)
		}
	}
	return users, nil
}

// secret gives a secret's present value.
func (e *Engine) secret(name string) (string, error) {
	secret := e.Catalog().Secret(name)
	if secret == nil {
		return "", pgerr.Newf(pgerr.UndefinedObject, "secret %q does not exist", name)
	}
	return secret.Value, nil
}

// secretRows shows secrets without their values.
func (e *Engine) secretRows(v *readView, row *rowBuilder) error {
	for _, secret := range v.cat.Secrets() {
		users, err := secretUsers(v.cat, secret.Name)
		if err != nil {
			return err
		}
		if err := row.int(int64(secret.ID)).text(secret.Name).opt(strings.Join(users, ", ")).end(); err != nil {
			return err
		}
	}
	return nil
}
