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
}

var _ cel.Activation = (*view)(nil)

// Parent is part of cel.Activation.
func (v *view) Parent() cel.Activation { return nil }

// ResolveName is part of cel.Activation.
func (v *view) ResolveName(name string) (any, bool) {
	switch name {
	case "groups":
		return lazy(func(group string) ref.Val {
			t := v.tallies[group]
			if t == nil {
				return nil
			}
			return t.view(v.waiting(group))
		}), true
	case "job":
		return v.event.view(), true
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

func (t *tally) view(waiting func() *stats.Stream) ref.Val {
	return lazy(func(field string) ref.Val {
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
			return streamView(&t.runTime)
		case "pendingTime":
			return streamView(&t.pendingTime)
		case "waiting":
			return streamView(waiting())
		case "metrics":
			return lazy(func(name string) ref.Val { return streamView(t.metrics[name]) })
		}
		return nil
	})
}

// streamView gives statistics; of no value there is none but the count.
func streamView(s *stats.Stream) ref.Val {
	if s == nil {
		s = new(stats.Stream)
	}
	of := func(f func() float64) ref.Val {
		if s.N() == 0 {
			return types.WrapErr(errNone)
		}
		return types.Double(f())
	}
	return lazy(func(field string) ref.Val {
		switch field {
		case "count":
			return types.Int(s.N())
		case "mean":
			return of(s.Mean)
		case "variance":
			return of(s.Variance)
		case "min":
			return of(s.Min)
		case "max":
			return of(s.Max)
		case "median":
			return of(s.Median)
		case "iqr":
			return of(s.IQR)
		case "mad":
			return of(s.MAD)
		}
		return nil
	})
}

func (o *occurrence) view() ref.Val {
	return lazy(func(field string) ref.Val {
		switch {
		case o.job == "": // the event is not of a job
			return types.WrapErr(errNone)
		case field == "group":
			return types.String(o.group)
		case field == "status":
			return types.String(o.status)
		case field == "runTime" && o.ran:
			return types.Double(o.runTime)
		case field == "pendingTime" && o.waited:
			return types.Double(o.pendingTime)
		case field == "metrics":
			return lazy(func(name string) ref.Val {
				x, ok := o.metrics[name]
				if !ok {
					return types.WrapErr(errNone)
				}
				return types.Double(x)
			})
		case field == "runTime", field == "pendingTime":
			return types.WrapErr(errNone)
		}
		return nil
	})
}

// lazy is a map for CEL whose values are made when they are asked for; nil is no
// value. It cannot be gone through.
type lazy func(key string) ref.Val

var _ traits.Mapper = lazy(nil)

// Find is part of traits.Mapper.
func (l lazy) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	v := l(string(name))
	return v, v != nil
}

// Get is part of traits.Mapper.
func (l lazy) Get(key ref.Val) ref.Val {
	v, ok := l.Find(key)
	switch {
	case ok:
		return v
	case v != nil:
		return v
	default:
		return types.NewErr("there is no %v", key)
	}
}

// Contains is part of traits.Mapper.
func (l lazy) Contains(key ref.Val) ref.Val {
	_, ok := l.Find(key)
	return types.Bool(ok)
}

// Iterator is part of traits.Mapper.
func (l lazy) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, nil).(traits.Lister).Iterator()
}

// Size is part of traits.Mapper.
func (l lazy) Size() ref.Val { return types.IntZero }

// ConvertToNative is part of ref.Val.
func (l lazy) ConvertToNative(t reflect.Type) (any, error) { return nil, errNone }

// ConvertToType is part of ref.Val.
func (l lazy) ConvertToType(ref.Type) ref.Val { return types.NewErr("it is no value by itself") }

// Equal is part of ref.Val.
func (l lazy) Equal(ref.Val) ref.Val { return types.False }

// Type is part of ref.Val.
func (l lazy) Type() ref.Type { return types.MapType }

// Value is part of ref.Val.
func (l lazy) Value() any { return l }
