// SPDX-License-Identifier: MIT

// Package deptest keeps the directions between packages: data flows from the
// catalog to the report, and imports point upstream only. It has tests only. A
// rule that stands in the way is changed there, with its reason, and not around
// it.
package deptest
