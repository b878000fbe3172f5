/** Figures as people read them, alike on every machine. */

/** Bytes, powers of ten. */
export function bytesText(bytes: number): string {
  return scaled(bytes, ['B', 'KB', 'MB', 'GB', 'TB', 'PB'])
}

export function bitsPerSecondText(bits: number): string {
  return scaled(bits, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'])
}

/** A count, or a rate, three digits that count: 16,667 or 0.42. */
export function countText(count: number): string {
  if (count === 0) return '0'
  const digits = Math.abs(count) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 }
  return count.toLocaleString('en-US', digits)
}

/** A large count: 10M, 16.8M. */
export function millionsText(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toLocaleString('en-US', { maximumSignificantDigits: 3 })} billion`
  if (count < 1e6) return countText(count)
  return `${(count / 1e6).toLocaleString('en-US', { maximumSignificantDigits: 3 })}M`
}

export function percentText(share: number): string {
  return `${countText(share * 100)} %`
}

function scaled(value: number, units: readonly string[]): string {
  let unit = 0
  let rest = value
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000
    unit++
  }
  return `${rest.toLocaleString('en-US', { maximumSignificantDigits: 3 })} ${units[unit]}`
}
