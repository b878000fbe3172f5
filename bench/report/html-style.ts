/** The style sheet of the report: one column, light and dark. */
export const htmlStyle = `
:root{color-scheme:light dark;--bg:#fbfafc;--card:#fff;--ink:#221c2b;--soft:#6d6578;--line:#e4dfea;
--subject:#6b3fa0;--peer-0:#c7782a;--peer-1:#2f7f86;--peer-2:#8a8f2a;--reference:#9a94a3;--good:#2d7d46;--bad:#b3372f}
@media(prefers-color-scheme:dark){:root{--bg:#17141b;--card:#211d27;--ink:#ece8f1;--soft:#a69dB3;--line:#3a3443;
--subject:#b48be6;--peer-0:#e3a15c;--peer-1:#63b8bf;--peer-2:#c2c760;--reference:#7d7687;--good:#6cc388;--bad:#ef8b83}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.15rem;margin:0}
p{margin:.3rem 0}.soft{color:var(--soft);font-size:.9rem}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem;margin:1rem 0}
code{font:.85rem/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:.3rem .6rem;text-align:right;white-space:nowrap;border-top:1px solid var(--line)}
th{font-weight:600;color:var(--soft);border-top:0}
th:first-child,td:first-child{text-align:left;padding-left:0}
.words td{text-align:left;white-space:normal;padding:.3rem .6rem .3rem 0}
.words th{padding:.3rem .6rem .3rem 0}
@media(max-width:32rem){.words,.words tbody,.words tr,.words td{display:block}.words th{display:none}
.words tr{border-top:1px solid var(--line);padding:.4rem 0}.words td{border:0;padding:0}.words td:first-child{font-weight:600}}
.words th{text-align:left}
.met{color:var(--good);font-weight:600}.not-met{color:var(--bad);font-weight:600}.not-measured{color:var(--soft)}
svg{display:block;margin:.8rem 0;overflow:visible}
svg text{fill:var(--ink);font-size:14px}svg .value{font-weight:600}svg .axis{fill:var(--soft);font-size:12px}
.track{fill:var(--line);opacity:.5}.grid{stroke:var(--line)}.range{stroke:var(--ink);stroke-width:2;opacity:.55}
rect.subject{fill:var(--subject)}rect.peer-0{fill:var(--peer-0)}rect.peer-1{fill:var(--peer-1)}
rect.peer-2{fill:var(--peer-2)}rect.reference{fill:var(--reference)}
polyline{stroke-width:2.5}
polyline.subject{stroke:var(--subject)}polyline.peer-0{stroke:var(--peer-0)}polyline.peer-1{stroke:var(--peer-1)}
polyline.peer-2{stroke:var(--peer-2)}polyline.reference{stroke:var(--reference)}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1rem;font-size:.85rem}
.key{display:inline-flex;align-items:center;gap:.4rem}.key i{width:.9rem;height:.25rem;border-radius:2px}
i.subject{background:var(--subject)}i.peer-0{background:var(--peer-0)}i.peer-1{background:var(--peer-1)}
i.peer-2{background:var(--peer-2)}i.reference{background:var(--reference)}
`
