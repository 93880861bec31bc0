(function(){var tip;document.addEventListener("pointerover",function(e){
var at=e.target.closest&&e.target.closest("svg.chart g");var title=null;
while(at&&!title){for(var n=at.firstElementChild;n;n=n.nextElementSibling){if(n.tagName==="title"){title=n;break}}if(!title){at=at.parentElement&&at.parentElement.closest("svg.chart g")}}
if(tip){tip.remove();tip=null}if(!title||!title.textContent){return}
tip=document.createElement("div");tip.id="tip";tip.setAttribute("aria-hidden","true");tip.textContent=title.textContent;document.body.appendChild(tip);
var x=Math.min(e.pageX+12,window.scrollX+document.documentElement.clientWidth-tip.offsetWidth-8);
tip.style.left=Math.max(8,x)+"px";tip.style.top=(e.pageY+14)+"px"})})();
