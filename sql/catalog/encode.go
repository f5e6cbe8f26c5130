package catalog

import (
	"encoding/json"
	"fmt"
)

// stored is the catalog's durable form.
type stored struct {
	Version   uint64
	NextID    ID
	Schemas   []string
	Relations []*Relation
	Sources   []*Source
	Secrets   []*Secret `json:",omitempty"`
}

// Encode gives the durable form: JSON, without the system relations.
func (s *Snapshot) Encode() ([]byte, error) {
	st := stored{Version: s.Version, NextID: s.NextID, Schemas: s.Schemas, Sources: s.Sources(), Secrets: s.Secrets()}
	for _, r := range s.Relations() {
		if r.Kind != System {
			st.Relations = append(st.Relations, r)
		}
	}
	return json.Marshal(st)
}

// Decode reads the durable form and adds the system relations of this version.
func Decode(data []byte, system []*Relation) (*Snapshot, error) {
	var st stored
	if err := json.Unmarshal(data, &st); err != nil {
		return nil, fmt.Errorf("decoding the catalog: %w", err)
	}
	s := New(system)
	s.Version, s.NextID, s.Schemas = st.Version, st.NextID, st.Schemas
	for _, r := range st.Relations {
		s.relations[r.ID], s.names[[2]string{r.Schema, r.Name}] = r, r.ID
	}
	for _, src := range st.Sources {
		s.sources[src.ID] = src
	}
	for _, secret := range st.Secrets {
		s.secrets[secret.Name] = secret
	}
	return s, nil
}
