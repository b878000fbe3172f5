/** Strings that made brokers fall: as topic, filter, client identifier, user name or property (FAULTS, "Bad input"). */
export const badStrings: readonly [Buffer, ...Buffer[]] = [
  Buffer.alloc(0),
  ...[
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
    '/'.repeat(65_400),
    'a/'.repeat(300),
    '+/'.repeat(127) + '#',
    'x'.repeat(65_535),
    'nul\u{0}nul',
    'control\u{1}\u{1f}\u{7f}\u{9f}',
    'none\u{fffe}\u{ffff}\u{1ffff}',
    '\u{feff}',
    '$share/g',
    '$share//x',
    '$share/+/x',
    '$share/g/',
    '$share/g/+/#',
    '$SYS/broker/uptime',
    '$SYS/#',
    '#',
    '+',
    '#/a',
    'a/#/b',
    'a+',
    '../../etc/passwd',
    'spread\n\r\t ',
  ].map(text => Buffer.from(text)),
  Buffer.from([0x61, 0xed, 0xa0, 0x80, 0x61]), // a lone high surrogate
  Buffer.from([0xed, 0xbf, 0xbf]), // a lone low surrogate
  Buffer.from([0xc0, 0xaf]), // overlong
  Buffer.from([0xf4, 0x90, 0x80, 0x80]), // above U+10FFFF
  Buffer.from([0x61, 0xff]),
  Buffer.from([0xe2, 0x82]), // cut short
]
