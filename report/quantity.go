// SPDX-License-Identifier: MIT

package report

import (
	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/measure"
)

func seconds(v read.Value) (float64, bool) { return measure.Seconds(v) }

func wallTime(rec *measure.Record) (float64, bool) { return rec.WallTime() }
