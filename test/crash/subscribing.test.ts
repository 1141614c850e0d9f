import { testEveryPoint } from "./every-point.js";
import { scenarios } from "./scenarios.js";

testEveryPoint(scenarios.filter(({ about }) => about === "subscribing"));
