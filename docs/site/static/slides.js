// Slides of 1920 × 1080, as large as the screen. The address names the slide, so a reload stays.
Reveal.initialize({
  width: 1920, height: 1080, margin: 0, minScale: 0.05, center: false,
  hash: true, transition: "none", backgroundTransition: "none", slideNumber: "c/t",
});
Reveal.addKeyBinding({ keyCode: 68, key: "D", description: "Dark or light" },
  () => document.getElementById("look").click());
