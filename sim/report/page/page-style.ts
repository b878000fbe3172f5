/** The style sheet of the page: one column from a phone to a wide screen, light and dark, and on paper. */
export const pageStyle = `
:root{color-scheme:light dark;--bg:#fbfafc;--card:#fff;--ink:#221c2b;--soft:#655d70;--line:#e4dfea;--faint:#f4f1f7;
--good:#256d3b;--warn:#8a5a00;--bad:#a82e27;--good-bg:#e3f3e7;--warn-bg:#fbf0d8;--bad-bg:#fbe5e3;--heat-ink:#6b3fa0;
--s0:#6b3fa0;--s1:#c7641a;--s2:#1f7a82;--s3:#b02a6b;--s4:#6d7a14;--s5:#2f5fc4;--s6:#8a5a3c;--s7:#5b5b66}
@media(prefers-color-scheme:dark){:root{--bg:#17141b;--card:#211d27;--ink:#ece8f1;--soft:#aba3b8;--line:#3a3443;--faint:#2a2531;
--good:#7fd39b;--warn:#efc069;--bad:#f59a93;--good-bg:#1f3a28;--warn-bg:#40331a;--bad-bg:#472522;--heat-ink:#8f63c8;
--s0:#b48be6;--s1:#f0a25c;--s2:#63c3cb;--s3:#f07fb4;--s4:#bcca56;--s5:#8fb2ff;--s6:#cfa287;--s7:#b9b9c6}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:1rem}
h1{font-size:1.6rem;line-height:1.2;margin:.6rem 0 .2rem}h2{font-size:1.15rem;margin:0 0 .4rem}
p{margin:.3rem 0;max-width:48rem}.soft{color:var(--soft);font-weight:400}
header p{color:var(--soft);margin-bottom:1rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;padding:0;margin:.5rem 0;font-size:.9rem}
a{color:inherit}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.2rem;margin:1rem 0}
.scroll{overflow-x:auto;margin:.7rem 0}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.2rem 0;white-space:nowrap}
th,td{padding:.32rem .7rem;text-align:left;border-top:1px solid var(--line);vertical-align:top}
td{min-width:3.2rem}.data{width:100%}.data td:not(.n):first-child{min-width:7rem}
th:first-child,td:first-child{padding-left:0}
thead th{font-weight:600;color:var(--soft);border-top:0;vertical-align:bottom}tbody th{font-weight:500}
.n{text-align:right;white-space:nowrap}thead .n{white-space:normal}
.good,.warn,.bad{display:inline-block;border-radius:4px;padding:0 .4em;font-weight:600}
.good{color:var(--good);background:var(--good-bg)}.warn{color:var(--warn);background:var(--warn-bg)}.bad{color:var(--bad);background:var(--bad-bg)}
.note{display:block;color:var(--soft);font-size:.82rem;white-space:normal;min-width:9rem}
figure{margin:1.4rem 0 .6rem}figcaption{font-weight:600}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;padding:0;margin:.4rem 0;font-size:.86rem}
.legend li{display:flex;align-items:center;gap:.45rem}.legend svg{width:28px;height:8px;flex:none}
.key{width:.85rem;height:.85rem;border-radius:2px}
.y-label,.x-label{color:var(--soft);font-size:.8rem;margin:.2rem 0}.x-label{text-align:right;max-width:none}
.plot{position:relative;height:clamp(14rem,34vw,22rem);margin:.8rem .8rem 1.6rem 2.9rem}
.plot svg{position:absolute;inset:0;width:100%;height:100%;overflow:hidden;border-left:1px solid var(--soft);border-bottom:1px solid var(--soft)}
.grid{stroke:var(--line);stroke-width:1}
.curve{fill:none;stroke-width:2.2;stroke-linejoin:round}
.d1{stroke-dasharray:7 4}.d2{stroke-dasharray:2 4}
.span{fill:var(--soft);opacity:.16}
.span-label{position:absolute;top:.1rem;padding:0 .3rem;font-size:.76rem;color:var(--soft);white-space:nowrap}
.tick-y,.tick-x{position:absolute;color:var(--soft);font-size:.76rem;line-height:1;font-variant-numeric:tabular-nums;white-space:nowrap}
.tick-y{right:100%;margin-right:.35rem;transform:translateY(50%)}
.tick-x{top:100%;margin-top:.35rem;transform:translateX(-50%)}
.bars{margin:.6rem 1rem 1.4rem 0}
.rows{position:relative;border-left:1px solid var(--soft);border-bottom:1px solid var(--soft);padding:.3rem 0}
.category{position:relative;padding:.2rem 0 .35rem;font-size:.86rem}.category>span{position:relative;z-index:2;display:table;margin-left:.3rem;padding:0 .2rem;line-height:1.35;background:var(--card);border-radius:3px}
.track{display:grid;gap:2px}.track.stacked{display:flex;gap:0}
.bar{display:flex;align-items:center;height:1.05rem}.stacked .bar{display:contents}
.bar i,.stacked i{height:1.05rem;flex:none;min-width:1px}.bar:last-child i{border-radius:0 3px 3px 0}
.bar b{position:relative;z-index:2;font-size:.76rem;line-height:1;margin-left:.2rem;padding:.1rem .2rem;background:var(--card);border-radius:3px}.bar b.inside{margin-left:-3.2rem;width:3rem;text-align:right;color:var(--card);background:none}
.bar-grid,.limit{position:absolute;top:0;bottom:0;width:0;border-left:1px solid var(--line)}
.limit{border-left:2px dashed var(--bad);z-index:1}
.limit-name{position:relative;height:1.1rem;margin:0;max-width:none;font-size:.76rem;color:var(--bad);font-weight:600}
.limit-name span{position:absolute;white-space:nowrap}
.bar-ticks{position:relative;height:1rem}
.map th,.map td{padding:.45rem .8rem;border:2px solid var(--card)}.map th{color:var(--soft)}
.heat{background:color-mix(in srgb,var(--heat-ink) var(--heat),var(--faint))}.hot{color:#fff}.unknown{color:var(--soft);font-style:italic}
details{font-size:.86rem;margin:.4rem 0}summary{cursor:pointer;color:var(--soft)}
.figures{display:flex;flex-wrap:wrap;gap:1rem 2rem;overflow:auto;max-height:24rem;padding:.4rem 0}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
${Array.from({ length: 8 }, (_, i) => `.c${i}{stroke:var(--s${i})}.b${i}{background:var(--s${i})}`).join('')}
@media(max-width:44rem){.data td:not(.n):not(:first-child){min-width:11rem}}
@media(max-width:32rem){main{padding:.6rem}section{padding:.8rem}.plot{margin-left:2.5rem}}
@media print{section{break-inside:avoid;border:0}nav{display:none}}
`
