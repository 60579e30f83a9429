package standin

import (
	"net/http"
	"slices"
	"strings"
)

// catalogTarget stands for the whole catalog in catalog.attached. Namespaces are
// there by key(levels, ""), tables by key(levels, name).
const catalogTarget = ""

func (t Target) key() string {
	if len(t.Namespace) == 0 {
		return catalogTarget
	}
	return key(t.Namespace, t.Table)
}

// level gives how operations name the target.
func (t Target) level() string {
	switch {
	case len(t.Namespace) == 0:
		return "CATALOG"
	case t.Table == "":
		return "NAMESPACE"
	}
	return "TABLE"
}

// readTarget reads the body of an attach or detach. A path beside the type
// catalog counts for nothing.
func (q *request) readTarget() (Target, error) {
	var body struct {
		Target *struct {
			Type string   `json:"type"`
			Path []string `json:"path"`
		} `json:"target"`
	}
	if err := q.decode(&body); err != nil {
		return Target{}, err
	}
	if body.Target == nil {
		return Target{}, refuse(http.StatusBadRequest, "ResteasyReactiveViolationException",
			"Invalid value: attachPolicy.attachPolicyRequest.target: must not be null")
	}
	path := body.Target.Path
	switch body.Target.Type {
	case "catalog":
		return Target{}, nil
	case "namespace":
		return Target{Namespace: path}, nil
	case "table-like":
		if len(path) < 2 {
			return Target{}, badRequest("Invalid path")
		}
		return Target{Namespace: path[:len(path)-1], Table: path[len(path)-1]}, nil
	}
	return Target{}, misshapen()
}

// checkTarget refuses a target that is not there, and views and generic tables.
func (s *Server) checkTarget(q *request, t Target) error {
	if t.Table == "" {
		return q.inNamespace(t.Namespace)
	}
	_, err := s.findTable(q, t.Namespace, t.Table)
	return err
}

func (s *Server) attachPolicy(q *request) (*answer, error) {
	return s.mapping(q, "ATTACH_POLICY_TO_", func(p *policy, t Target) error {
		return q.catalog.attach(p, t)
	})
}

func (s *Server) detachPolicy(q *request) (*answer, error) {
	return s.mapping(q, "DETACH_POLICY_FROM_", func(p *policy, t Target) error {
		if q.catalog.detach(t.key(), key(p.namespace, p.name)) {
			return nil
		}
		return refuse(http.StatusInternalServerError, "IllegalStateException",
			"Failed to detach policy %s from %s error status: POLICY_MAPPING_NOT_FOUND with extraInfo: null",
			policyID(p.namespace, p.name), t.name(q.catalog.Name))
	})
}

func (t Target) name(catalog string) string {
	parts := append([]string{catalog}, t.Namespace...)
	if t.Table != "" {
		parts = append(parts, t.Table)
	}
	return strings.Join(parts, ".")
}

func (s *Server) mapping(q *request, op string, change func(*policy, Target) error) (*answer, error) {
	target, err := q.readTarget()
	if err != nil {
		return nil, err
	}
	// which of the two is missing is told in this order
	if _, err := s.withPolicy(q, "", func(*policy) (*answer, error) { return nil, nil }); err != nil {
		return nil, err
	}
	if err := s.checkTarget(q, target); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, op+target.level(), target.Namespace, target.Table); err != nil {
		return nil, err
	}
	return s.withPolicy(q, "", func(p *policy) (*answer, error) {
		if err := change(p, target); err != nil {
			return nil, err
		}
		return noContent()
	})
}

// attach takes one policy of each type per target. The lock is held.
func (c *catalog) attach(p *policy, t Target) error {
	target, k := t.key(), key(p.namespace, p.name)
	for _, other := range c.attached[target] {
		switch {
		case other == k:
			return nil
		case c.policies[other].kind == p.kind:
			return refuse(http.StatusConflict, "PolicyMappingAlreadyExistsException",
				"The policy mapping of same type (%s) for %s already exists", p.kind, t.name(c.Name))
		}
	}
	c.attached[target] = append(c.attached[target], k)
	return nil
}

// detach is false when the policy was not attached there. The lock is held.
func (c *catalog) detach(target, k string) bool {
	before := len(c.attached[target])
	c.attached[target] = slices.DeleteFunc(c.attached[target], func(other string) bool { return other == k })
	return len(c.attached[target]) < before
}
