// SPDX-License-Identifier: MIT

package sample

// A field is GF(q): sums and products of the numbers below q.
type field struct {
	q        int
	sum, mul [][]int
}

// newField returns GF(q), or false when q is not a prime power. Numbers stand
// for polynomials over GF(p), digits in base p being coefficients; products are
// taken modulo the first monic polynomial that leaves no zero divisors.
func newField(q int) (*field, bool) {
	p, degree := primePower(q)
	if degree == 0 {
		return nil, false
	}
	f := &field{q: q, sum: square(q), mul: square(q)}
	for a := range q {
		for b := range q {
			f.sum[a][b] = addDigits(a, b, p)
		}
	}
	for low := range q {
		if f.multiply(p, q, low) {
			return f, true
		}
	}
	return nil, false
}

// primePower returns p and e with q = p^e, or e = 0 if there are none.
func primePower(q int) (p, e int) {
	for p = 2; p <= q; p++ {
		if q%p == 0 {
			for ; q%p == 0; q /= p {
				e++
			}
			if q > 1 {
				return 0, 0
			}
			return p, e
		}
	}
	return 0, 0
}

func square(q int) [][]int {
	rows := make([][]int, q)
	for i := range rows {
		rows[i] = make([]int, q)
	}
	return rows
}

// addDigits adds in base p without carries.
func addDigits(a, b, p int) int {
	sum := 0
	for place := 1; a > 0 || b > 0; place *= p {
		sum += (a%p + b%p) % p * place
		a, b = a/p, b/p
	}
	return sum
}

// multiply fills the products modulo x^e + low, where q = p^e, and reports
// whether the result is a field.
func (f *field) multiply(p, q, low int) bool {
	minus := 0 // -low
	for range p - 1 {
		minus = addDigits(minus, low, p)
	}
	for a := range q {
		for b := range q {
			// Horner's rule over the digits of b, highest first.
			product := 0
			for place := q / p; place > 0; place /= p {
				top := product / (q / p)
				product = product % (q / p) * p
				for range top {
					product = addDigits(product, minus, p)
				}
				for range b / place % p {
					product = addDigits(product, a, p)
				}
			}
			if product == 0 && a > 0 && b > 0 {
				return false
			}
			f.mul[a][b] = product
		}
	}
	return true
}

// orthogonal returns the orthogonal array of q^t rows and q+1 columns in which
// every t columns have every tuple once, for t of at most q: the values of all
// polynomials of degree below t at the elements of GF(q), and their leading
// coefficients (Bush, "Orthogonal arrays of index unity", Annals of
// Mathematical Statistics 23, 1952).
func (f *field) orthogonal(t int) [][]int {
	n := 1
	for range t {
		n *= f.q
	}
	rows := make([][]int, n)
	for i := range rows {
		row := make([]int, f.q+1)
		for x := range f.q {
			value := 0
			for place := n / f.q; place > 0; place /= f.q {
				value = f.sum[f.mul[value][x]][i/place%f.q]
			}
			row[x] = value
		}
		row[f.q] = i / (n / f.q)
		rows[i] = row
	}
	return rows
}

// multiplied turns a covering array of strength 2 with k columns and q levels
// into one with qk+1 columns and q(q-1) more rows. Each column is
// repeated for every x in GF(q), which covers all pairs but those of unequal
// levels between copies of one column. The new rows, one for each linear
// polynomial that is not constant, cover these: they have the polynomial's
// value at x there. The last column is the slope, and 0 in the old rows. This is the product
// construction of Colbourn and others ("Products of mixed covering arrays of
// strength two", Journal of Combinatorial Designs 14, 2006).
func (f *field) multiplied(array [][]int) [][]int {
	k := len(array[0])
	var rows [][]int
	for _, old := range array {
		row := make([]int, 0, f.q*k+1)
		for range f.q {
			row = append(row, old...)
		}
		rows = append(rows, append(row, 0))
	}
	for slope := 1; slope < f.q; slope++ {
		for constant := range f.q {
			row := make([]int, 0, f.q*k+1)
			for x := range f.q {
				for range k {
					row = append(row, f.sum[f.mul[slope][x]][constant])
				}
			}
			rows = append(rows, append(row, slope))
		}
	}
	return rows
}
