// The colours of classes and of layers, by index, alike in every view; put before each component's script, after shared.js.
//
//   classColours(dark)   ten colours, told apart from the ground by 3 : 1 or more; more classes begin anew
//   layerColours(dark)   eight colours for lines and text of layers
//
// Green, magenta and yellow come first and orange and blue last: those two stand for signs, and for k-WTA and ReLU.
function classColours(dark) {
  return dark
    ? ["#2FD0A0", "#F08CC8", "#F0E442", "#B9A2FF", "#E8E8E8", "#FF8A5C", "#FF6F91", "#A8C686", "#E69F00", "#56B4E9"]
    : ["#00805F", "#B5307F", "#7A6A00", "#6D4AC4", "#333333", "#C2410C", "#BE123C", "#4D7C0F", "#B87A00", "#0072B2"];
}

function layerColours(dark) {
  return dark
    ? ["#F0A02B", "#56B4E9", "#2FD0A0", "#F08CC8", "#F0E442", "#B9A2FF", "#FF6F91", "#A9B4BE"]
    : ["#C25E00", "#0072B2", "#00805F", "#B5307F", "#7A6A00", "#6D4AC4", "#BE123C", "#5B6670"];
}
