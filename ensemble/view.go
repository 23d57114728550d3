// SPDX-License-Identifier: MIT

package ensemble

import (
	"reflect"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/converged-computing/ensemble/stats"
)

// A view is the run as an expression sees it at one event. What is not asked for
// is not computed.
type view struct {
	*Engine
	event *occurrence
	// absent says that something was asked for that has no value now.
	absent bool
}

var _ cel.Activation = (*view)(nil)

// Parent is part of cel.Activation.
func (v *view) Parent() cel.Activation { return nil }

// ResolveName is part of cel.Activation.
func (v *view) ResolveName(name string) (any, bool) {
	switch name {
	case "groups":
		return v.lazy(func(group string) ref.Val {
			t := v.tallies[group]
			if t == nil {
				return types.NewErr("there is no group %q", group)
			}
			return v.tally(t, v.waiting(group))
		}), true
	case "job":
		return v.job(), true
	case "elapsed":
		return types.Double(v.elapsed(v.event.now).Seconds()), true
	case "nodes":
		return types.Int(v.nodes), true
	case "beat":
		return types.Int(v.beat), true
	}
	return nil, false
}

// waiting are the seconds that each pending job of a group has waited so far.
func (v *view) waiting(group string) func() *stats.Stream {
	return func() *stats.Stream {
		var waited []float64
		for _, f := range v.follows {
			if f.group == group && !f.running {
				waited = append(waited, max(0, v.event.now.Sub(f.asked).Seconds()))
			}
		}
		slices.Sort(waited) // the mean depends on the order in which values come
		s := new(stats.Stream)
		for _, x := range waited {
			s.Add(x)
		}
		return s
	}
}

func (v *view) tally(t *tally, waiting func() *stats.Stream) ref.Val {
	return v.lazy(func(field string) ref.Val {
		switch field {
		case "submitted":
			return types.Int(t.submitted)
		case "pending":
			return types.Int(t.pending)
		case "running":
			return types.Int(t.running)
		case "finished":
			return types.Int(t.finished)
		case "succeeded":
			return types.Int(t.succeeded)
		case "failed":
			return types.Int(t.failed)
		case "cancelled":
			return types.Int(t.cancelled)
		case "runTime":
			return v.stream(&t.runTime)
		case "pendingTime":
			return v.stream(&t.pendingTime)
		case "waiting":
			return v.stream(waiting())
		case "metrics":
			return groupMetrics{v.lazy(func(name string) ref.Val { return v.stream(t.metrics[name]) }), t}
		}
		return noField(field)
	})
}

// stream gives statistics; of no value there is none but the count.
func (v *view) stream(s *stats.Stream) ref.Val {
	if s == nil {
		s = new(stats.Stream)
	}
	return v.lazy(func(field string) ref.Val {
		if field == "count" {
			return types.Int(s.N())
		}
		if s.N() == 0 && slices.Contains(statistics, field) {
			return nil
		}
		switch field {
		case "mean":
			return types.Double(s.Mean())
		case "variance":
			return types.Double(s.Variance())
		case "min":
			return types.Double(s.Min())
		case "max":
			return types.Double(s.Max())
		case "median":
			return types.Double(s.Median())
		case "iqr":
			return types.Double(s.IQR())
		case "mad":
			return types.Double(s.MAD())
		}
		return noField(field)
	})
}

func (v *view) job() ref.Val {
	o := v.event
	return v.lazy(func(field string) ref.Val {
		switch {
		case o.job == "": // the event is not of a job
		case field == "group":
			return types.String(o.group)
		case field == "status" && o.status != "":
			return types.String(o.status)
		case field == "runTime" && o.ran:
			return types.Double(o.runTime)
		case field == "pendingTime" && o.waited:
			return types.Double(o.pendingTime)
		case field == "metrics":
			return v.lazy(func(name string) ref.Val {
				x, ok := o.metrics[name]
				if !ok {
					return nil
				}
				return types.Double(x)
			})
		case !slices.Contains(jobFields, field):
			return noField(field)
		}
		return nil
	})
}

// noField is the error of a field whose name is computed; others are found when the
// file is checked.
func noField(name string) ref.Val { return types.NewErr("there is no field %q", name) }

// lazy is a map for CEL whose values are made when they are asked for; nil is no
// value yet, and what does not exist is an error. It cannot be gone through, and its size is not known, which
// the check of the file says.
type lazy struct {
	of   func(key string) ref.Val
	view *view
}

func (v *view) lazy(of func(key string) ref.Val) lazy { return lazy{of, v} }

var _ traits.Mapper = lazy{}

// Find is part of traits.Mapper. What is not there is noted: to has() it is false,
// and everything else that CEL says of it is an error that could be a mistake in
// the expression as well.
func (l lazy) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	x := l.of(string(name))
	if x == nil {
		l.view.absent = true
	}
	return x, x != nil
}

// Get is part of traits.Mapper.
func (l lazy) Get(key ref.Val) ref.Val {
	x, ok := l.Find(key)
	if !ok && x == nil {
		return types.WrapErr(errNone)
	}
	return x
}

// Contains is part of traits.Mapper.
func (l lazy) Contains(key ref.Val) ref.Val {
	x, ok := l.Find(key)
	return types.Bool(ok && !types.IsError(x))
}

// Iterator is part of traits.Mapper.
func (l lazy) Iterator() traits.Iterator {
	return types.NewDynamicList(types.DefaultTypeAdapter, []ref.Val{errWhole}).(traits.Lister).Iterator()
}

// Size is part of traits.Mapper.
func (l lazy) Size() ref.Val { return errWhole }

var errWhole = types.NewErr("groups, jobs and their metrics have no size and cannot be gone through")

// ConvertToNative is part of ref.Val.
func (l lazy) ConvertToNative(reflect.Type) (any, error) { return nil, errNone }

// ConvertToType is part of ref.Val.
func (l lazy) ConvertToType(ref.Type) ref.Val { return types.NewErr("it is no value by itself") }

// Equal is part of ref.Val.
func (l lazy) Equal(ref.Val) ref.Val { return types.False }

// Type is part of ref.Val.
func (l lazy) Type() ref.Type { return types.MapType }

// Value is part of ref.Val.
func (l lazy) Value() any { return l }

// groupMetrics are those of a group: each has statistics, and is in them once it has
// a value.
type groupMetrics struct {
	lazy
	tally *tally
}

// Contains is part of traits.Mapper.
func (m groupMetrics) Contains(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	return types.Bool(ok && m.tally.metrics[string(name)] != nil)
}
