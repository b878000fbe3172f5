/**
 * User names and passwords in the one form in which they are compared: the parts of SASLprep (RFC 4013) that decide
 * whether two inputs are the same. Spaces of all kinds become a space, characters that show nothing vanish, the rest is
 * NFKC; characters that RFC 4013 prohibits refuse the text, and so do unassigned and other invisible ones.
 *
 * Left out: the check of mixed writing directions (RFC 3454 section 6), which refuses texts but changes none. Characters
 * younger than Unicode 3.2 are taken as they are, where RFC 4013 refuses them.
 */

/** RFC 3454 table C.1.2. U+200B is in B.1 as well; it is a space here, as it is for PostgreSQL. */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu
/** RFC 3454 table B.1. */
const NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200c\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/gu
/** RFC 3454 tables C.2 to C.9: categories Cc, Cf, Cn, Co and Cs, and the few in other categories. */
const PROHIBITED = /[\p{C}\u2028\u2029\u2ff0-\u2ffb\ufffc\ufffd]/u

/** The form in which `text` is compared; undefined when nothing is left of it or it has a prohibited character. */
export function saslPrepared(text: string): string | undefined {
  const prepared = text.replace(SPACES, ' ').replace(NOTHING, '').normalize('NFKC')
  return prepared === '' || PROHIBITED.test(prepared) ? undefined : prepared
}
